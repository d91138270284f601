"""The LXC configuration and seccomp profile of a guest, from Proxmox's configuration. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from lab.guests.runtime import Config
from lab.real.layout import IDMAP, guest_dir_on_node
from lab.real.properties import core_count, features, hostname, memory_mb, mount_points, nics

INCLUDES = "/usr/share/lxc/config"
CPU_PERIOD_US = 100_000
MIB = 1 << 20


@dataclass(frozen=True)
class Host:
    """What the machine's control groups offer: `unified` when memory and cpu are in version 2, and where guests' groups go."""

    unified: bool
    group: str
    architecture: str = "amd64"


def limits(config: Config, unified: bool) -> dict[str, str]:
    """Control group file -> value, for memory and CPU time. Swap is not limited: many kernels do not count it."""
    memory = memory_mb(config) * MIB
    cores = core_count(config)
    if unified:
        cpu = f"{int(cores * CPU_PERIOD_US)} {CPU_PERIOD_US}" if cores else f"max {CPU_PERIOD_US}"
        return {"memory.max": str(memory), "cpu.max": cpu}
    quota = str(int(cores * CPU_PERIOD_US)) if cores else "-1"
    return {"memory.limit_in_bytes": str(memory), "cpu.cfs_quota_us": quota}


def lxc_config(vmid: int, config: Config, host: Host) -> str:
    """The file /var/lib/lxc/VMID/config. Always unprivileged, whatever the configuration says: the machine is not Proxmox's."""
    place = guest_dir_on_node(vmid)
    nesting = features(config).get("nesting", False)
    lines = [
        f"lxc.arch = {host.architecture}",
        f"lxc.uts.name = {hostname(vmid, config)}",
        f"lxc.rootfs.path = dir:{place}/rootfs",
        f"lxc.include = {INCLUDES}/common.conf",
        f"lxc.include = {INCLUDES}/userns.conf",
    ]
    if nesting:
        lines.append(f"lxc.include = {INCLUDES}/nesting.conf")
    lines += [
        "lxc.apparmor.profile = unconfined",
        "lxc.mount.auto =",
        "lxc.mount.auto = proc:rw sys:rw",
        f"lxc.seccomp.profile = {place}/seccomp",
    ]
    lines += [f"lxc.idmap = {part.replace(':', ' ')}" for part in IDMAP]
    # A view of version 2 alone, also where the machine runs both: systemd and runc of today expect it.
    lines.append("lxc.mount.entry = cgroup2 sys/fs/cgroup cgroup2 rw,nosuid,nodev,noexec,relatime 0 0")
    lines.append(f"lxc.cgroup.dir = {host.group}")
    kind = "cgroup2" if host.unified else "cgroup"
    lines += [f"lxc.{kind}.{name} = {value}" for name, value in limits(config, host.unified).items()]
    for number, target in mount_points(config).items():
        lines.append(f"lxc.mount.entry = {place}/volumes/{number} {target.lstrip('/')} none bind,create=dir 0 0")
    if config.get("entrypoint"):
        lines.append(f"lxc.init.cmd = {config['entrypoint']}")
    lines += [f"lxc.environment = {word}" for word in str(config.get("env", "")).split("\0") if "=" in word]
    lines += [f"lxc.log.file = {place}/log", "lxc.log.level = INFO", f"lxc.console.logfile = {place}/console.log"]
    return "\n".join(lines) + "\n" + _networks(vmid, config)


def _networks(vmid: int, config: Config) -> str:
    """One veth for each netN; without any, an empty network of its own."""
    blocks = []
    networks = nics(config)
    for index, nic in enumerate(networks):
        lines = ["type = veth", f"veth.pair = {nic.veth(vmid)}", f"name = {nic.name}"]
        if not nic.link_down:  # Proxmox puts an interface without a cable on no bridge (LXC.pm, net_tap_plug)
            lines += [f"link = {nic.segment}", "flags = up"]
        if nic.hwaddr:
            lines.append(f"hwaddr = {nic.hwaddr.lower()}")
        if nic.mtu:
            lines.append(f"mtu = {nic.mtu}")
        blocks += [f"lxc.net.{index}.{line}" for line in lines]
    # LXC brings the node's end up; it is down again before anything runs in the guest.
    blocks += [f"lxc.hook.start-host = /bin/sh -c 'ip link set {nic.veth(vmid)} down'" for nic in networks if nic.link_down]
    return "\n".join(blocks or ["lxc.net.0.type = empty"]) + "\n"


def seccomp_profile(config: Config, common: str) -> str:
    """LXC's own list plus what Proxmox refuses: without `nesting`, runc's pivot_root fails (systemd's boot does not need it)."""
    wanted = features(config)
    text = common.rstrip("\n") + "\n"
    if not wanted.get("nesting"):
        text += "pivot_root errno 13\n"
    if not wanted.get("keyctl"):
        text += "keyctl errno 38\n"
    return text
