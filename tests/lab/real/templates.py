"""Container templates, built from Debian packages in the shape that Proxmox's have."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.guests.runtime import RuntimeFailure
from lab.real.builder import Bootstrap, architecture, bootstrap, compress, digest_of, kept
from lab.real.layout import REGISTRY
from lab.real.mirror import Mirror, mirror_of_machine
from lab.real.shell import Say

BASE = ("systemd", "systemd-sysv", "dbus", "ifupdown", "iproute2", "iputils-ping", "procps", "openssh-server", "ca-certificates", "curl")
DAEMON_JSON = f'{{"registry-mirrors": ["http://{REGISTRY}"], "insecure-registries": ["10.231.0.0/16"]}}\n'
"""Plain image names come from the lab's registry; so does any registry's name that the node's DNS points at the lab."""


@dataclass(frozen=True)
class Template:
    """A template: its name without architecture and suffix, and what goes in beside BASE."""

    name: str
    suite: str
    packages: tuple[str, ...]
    docker: bool = False

    def file_name(self) -> str:
        return f"{self.name}_{architecture()}.tar.zst"


STANDARD = Template("debian-13-standard_13.1-2", "trixie", ("isc-dhcp-client",))
"""Without Docker and without Python, so that a role's bootstrap has something to do."""
DOCKER = Template(
    "debian-13-docker_13.1-1",
    "trixie",
    ("isc-dhcp-client", "docker.io", "docker-cli", "docker-compose", "iptables", "python3"),
    docker=True,
)
"""Golden: all that a deployment needs."""
DEBIAN_12 = Template("debian-12-standard_12.12-1", "bookworm", ("isc-dhcp-client",))
TEMPLATES = {template.name: template for template in (STANDARD, DOCKER, DEBIAN_12)}
DEFAULT = (STANDARD.name, DOCKER.name)


def recipe(template: Template, mirror: Mirror) -> Bootstrap:
    """What mmdebstrap does for a template. No host key, no machine id, nothing of the build may stay in it."""
    settings = "".join(f'{name} "{value}";\n' for name, value in mirror.settings)
    hooks = [
        'rm -f "$1"/etc/hostname "$1"/etc/resolv.conf "$1"/etc/ssh/ssh_host_* "$1"/etc/apt/apt.conf.d/99mmdebstrap',
        ': > "$1"/etc/machine-id',
        'rm -f "$1"/etc/apt/sources.list && mv "$1"/etc/apt/sources.list.d/*.sources "$1"/etc/apt/sources.list.d/debian.sources',
        # These cannot work in a container and would make its state "degraded".
        'chroot "$1" systemctl mask sys-kernel-debug.mount sys-kernel-config.mount systemd-modules-load.service >/dev/null 2>&1',
    ]
    if settings:
        hooks.append(f'printf %s {shlex.quote(settings)} > "$1"/etc/apt/apt.conf.d/50mirror')
    if template.docker:
        hooks.append('rm -rf "$1"/var/lib/docker "$1"/var/lib/containerd')
        hooks.append(f'mkdir -p "$1"/etc/docker && printf %s {shlex.quote(DAEMON_JSON)} > "$1"/etc/docker/daemon.json')
    return Bootstrap(template.suite, "minbase", (*BASE, *template.packages), tuple(hooks))


def ensure_template(name: str, say: Say, mirror: Mirror | None = None) -> Path:
    """The archive of a template (a key of TEMPLATES), built on first use; the apt cache must be up for that."""
    template = TEMPLATES.get(name)
    if template is None:
        raise RuntimeFailure(f"no template '{name}'; there are {', '.join(TEMPLATES)}")
    used = mirror or mirror_of_machine()
    wanted = recipe(template, used)
    digest = digest_of("template", 1, asdict(wanted), used.sources(template.suite), architecture())

    def make(work: Path) -> Path:
        bootstrap(wanted, used, work, work / "root.tar", say)
        compress(work / "root.tar", work / "root.tar.zst", ("zstd", "-q", "-T0", "-3"))
        return work / "root.tar.zst"

    return kept("templates", digest, template.file_name(), make, say)


def ensure_templates(names: Iterable[str], say: Say, mirror: Mirror) -> dict[str, Path]:
    """Archives by template name."""
    return {name: ensure_template(name, say, mirror) for name in names}
