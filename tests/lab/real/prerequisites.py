"""Whether real guests are possible on this machine, in plain words, and how to make them so."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

from lab.guests.runtime import RuntimeFailure
from lab.real import shell
from lab.real.cgroups import hierarchies
from lab.real.shell import PATH, Say

PACKAGES = {
    "lxc": "lxc-start",
    "dnsmasq-base": "dnsmasq",
    "nftables": "nft",
    "iptables": "iptables",
    "mmdebstrap": "mmdebstrap",
    "zstd": "zstd",
    "lzop": "lzop",
    "xz-utils": "xz",
    "apt-cacher-ng": "apt-cacher-ng",
    "docker-registry": "docker-registry",
    "openssh-server": "sshd",
    "openssh-client": "ssh",
    "iproute2": "ip",
    "openssl": "openssl",
    "util-linux": "nsenter",
    "procps": "ps",
    "debian-archive-keyring": "/usr/share/keyrings/debian-archive-keyring.gpg",
}
"""Debian package -> the command (or file) by which we know it is there."""
UNITS = (
    "lxc.service",
    "lxc-net.service",
    "lxc-monitord.service",
    "apt-cacher-ng.service",
    "docker-registry.service",
    "ssh.service",
    "ssh.socket",
    "nftables.service",
)
"""Services of these packages; the lab runs its own, so a machine's are left as they were."""
POLICY = Path("/usr/sbin/policy-rc.d")
POLICY_TEXT = "#!/bin/sh\n# proximity lab: nothing starts while its packages are installed\nexit 101\n"
INSTALL_TIMEOUT_S = 1800
PROXY_VARIABLES = ("http_proxy", "https_proxy", "no_proxy")


@dataclass(frozen=True)
class Report:
    """`reasons` say why real guests are not possible, empty when they are."""

    possible: bool
    reasons: tuple[str, ...]
    missing_packages: tuple[str, ...]

    def text(self) -> str:
        if self.possible:
            return "Real guests are possible on this machine."
        return "Real guests are not possible on this machine:\n" + "\n".join(f"- {reason}" for reason in self.reasons)


def missing_packages() -> tuple[str, ...]:
    return tuple(
        package
        for package, sign in PACKAGES.items()
        if not (Path(sign).exists() if sign.startswith("/") else shutil.which(sign, path=PATH))
    )


def doctor() -> Report:
    """Look, change nothing."""
    if platform.system() != "Linux":
        return Report(False, (f"they need Linux, and this is {platform.system()}",), ())
    reasons = list(_machine_reasons())
    missing = missing_packages()
    if missing:
        reasons.append(f"packages are missing: {' '.join(missing)}")
    return Report(not reasons, tuple(reasons), missing)


def _machine_reasons() -> list[str]:
    reasons = []
    if os.geteuid() != 0:
        reasons.append("they need root")
    elif not shell.succeeds(["unshare", "--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "--mount-proc", "true"]):
        reasons.append("root may not make namespaces here (a container without the privileges?)")
    namespaces = Path("/proc/sys/user/max_user_namespaces")
    if not namespaces.exists() or int(namespaces.read_text()) == 0:
        reasons.append("the kernel allows no user namespaces")
    if "" not in hierarchies():
        reasons.append("control groups of version 2 are mounted nowhere")
    if "overlay" not in Path("/proc/filesystems").read_text() and not Path("/lib/modules", os.uname().release).is_dir():
        reasons.append("the kernel has no overlay file system")
    if shutil.which("apt-get", path=PATH) is None:
        reasons.append("it is not a Debian machine: there is no apt-get")
    return reasons


def install_packages(say: Say = print) -> tuple[str, ...]:
    """Install what is missing, and leave the machine's services as they are; returns what was installed."""
    missing = missing_packages()
    if not missing:
        return ()
    if os.geteuid() != 0:
        raise RuntimeFailure(f"installing packages needs root: apt-get install {' '.join(missing)}")
    say(f"installing {' '.join(missing)} ...")
    before = {unit for unit in UNITS if _enabled(unit)}
    written = _forbid_starting()
    try:
        proxies = [f"{name}={os.environ[name]}" for name in PROXY_VARIABLES if name in os.environ]
        apt = ["env", "DEBIAN_FRONTEND=noninteractive", *proxies, "apt-get", "-y", "-q"]
        shell.run([*apt, "update"], timeout_s=INSTALL_TIMEOUT_S)
        options = ["--no-install-recommends", "-o", "Dpkg::Options::=--force-confold"]
        shell.run([*apt, *options, "install", *missing], timeout_s=INSTALL_TIMEOUT_S)
    finally:
        if written:
            POLICY.unlink(missing_ok=True)
    for unit in UNITS:
        if unit not in before and _enabled(unit):
            shell.succeeds(["systemctl", "disable", "--quiet", unit])
    return missing


def _forbid_starting() -> bool:
    """Have maintainer scripts start nothing; True when the rule is ours, or left over from a killed run of ours, and so ours to remove."""
    if POLICY.exists():
        return POLICY.read_text() == POLICY_TEXT
    shell.replace(POLICY, POLICY_TEXT, 0o755)
    return True


def _enabled(unit: str) -> bool:
    return shell.succeeds(["systemctl", "is-enabled", "--quiet", unit])
