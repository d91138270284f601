"""One lab node: a set of namespaces that plays a Proxmox VE host, with sshd, DHCP, DNS and LXC in it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace as changed
from pathlib import Path

from lab.guests.runtime import RuntimeFailure
from lab.real import shell
from lab.real.cgroups import make_node_group, remove_groups
from lab.real.layout import CACHE_ADDRESS, PRIVATE_BRIDGE, PUBLIC_BRIDGE, REGISTRY_ADDRESS, NodeAddresses, StateDir
from lab.real.machine import Slot, free_index, slots
from lab.real.shell import Process, Stdin

FILES = Path(__file__).parent / "node_files"
HOLDER_NAMES = ("sh", "unshare")
NAMESPACES = ("unshare", "--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "--mount-proc")
START_TIMEOUT_S = 20.0

SSHD_CONFIG = """\
ListenAddress 0.0.0.0:22
PidFile /run/sshd.pid
HostKey /run/lab/ssh/host
AuthorizedKeysFile /run/lab/ssh/authorized_keys
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
StrictModes no
PrintMotd no
MaxStartups 200
MaxSessions 200
Subsystem sftp internal-sftp
"""


@dataclass(frozen=True)
class Node:
    """A living node."""

    name: str
    init: Process
    addresses: NodeAddresses

    def argv(self, command: Sequence[str | Path]) -> list[str | Path]:
        """The command line that runs a command on the node."""
        return ["nsenter", "-t", str(self.init.pid), "-m", "-n", "-p", "-u", "-i", "--", *command]

    def run(
        self,
        command: Sequence[str | Path],
        *,
        text: str | bytes | None = None,
        stdin: Stdin = None,
        timeout_s: float = 120,
        ok: tuple[int, ...] = (0,),
    ) -> str:
        return shell.run(self.argv(command), text=text, stdin=stdin, timeout_s=timeout_s, ok=ok, shown=command)

    def alive(self) -> bool:
        return self.init.alive()


def dnsmasq_config(node: str, addresses: NodeAddresses, mirror_hosts: Sequence[str]) -> str:
    """DHCP on vmbr0; DNS that knows the lab and the mirror's names, and refuses all others at once (waiting would cost every pull 10 s)."""
    first, last = addresses.dhcp
    lines = [
        "pid-file=/run/dnsmasq.pid",
        "user=root",
        f"interface={PUBLIC_BRIDGE}",
        "bind-interfaces",
        "no-resolv",
        "no-hosts",
        "domain=lab",
        "local=/lab/",
        "local=/#/",
        f"hostsdir=/run/lab/nodes/{node}/dns",
        f"host-record={node}.lab,{node},{addresses.node}",
        f"host-record=cache.lab,{CACHE_ADDRESS}",
        f"host-record=registry.lab,{REGISTRY_ADDRESS}",
        f"dhcp-range={first},{last},255.255.255.0,1h",
        "dhcp-authoritative",
        "no-ping",
        f"dhcp-leasefile=/run/lab/nodes/{node}/leases",
        f"log-facility=/run/lab/nodes/{node}/dnsmasq.log",
        "log-dhcp",
    ]
    lines += [f"host-record={host},{CACHE_ADDRESS}" for host in dict.fromkeys(mirror_hosts)]
    return "\n".join(lines) + "\n"


def find(state: StateDir, name: str) -> Node | None:
    """The living node of that name in this lab."""
    for slot in slots():
        if slot.state == str(state.root) and slot.node == name and slot.init is not None and slot.init.alive():
            return Node(name, slot.init, NodeAddresses(slot.index))
    return None


def start(state: StateDir, name: str, mirror_hosts: Sequence[str], bridges: Sequence[str] = (PRIVATE_BRIDGE,)) -> Node:
    """Bring a node up; a living one is kept with its guests, leftovers of a dead one go first. The machine lock is held."""
    living = find(state, name)
    if living is None:
        for slot in slots():
            if slot.state == str(state.root) and slot.node == name:
                remove(slot)
        living = _start_anew(state, name, mirror_hosts, bridges)
    _connect(living)
    living.run(["/bin/bash", f"/run/lab/nodes/{name}/files/services.sh"])
    return living


def _start_anew(state: StateDir, name: str, mirror_hosts: Sequence[str], bridges: Sequence[str]) -> Node:
    addresses = NodeAddresses(free_index(slots()))
    here = state.node(name)
    _write_files(state, name, addresses, mirror_hosts)
    for old in (here / "node.log", here / "ready"):
        old.unlink(missing_ok=True)
    environment = {
        "NODE": name,
        "STATE": str(state.root),
        "ADDRESS": addresses.node,
        "PREFIX_LENGTH": "24",
        "BRIDGES": " ".join(bridges),
        "GROUP": str(make_node_group(state.root, name)),
    }

    def note(holder: Process) -> None:
        Slot(addresses.index, str(state.root), name, holder).write()

    holder = shell.spawn([*NAMESPACES, "/bin/bash", here / "files" / "init.sh"], here / "node.log", note, environment)
    slot = Slot(addresses.index, str(state.root), name, holder)
    _wait_until_ready(slot, here)
    slot = changed(slot, init=_child(holder))
    slot.write()
    if slot.init is None:
        raise RuntimeFailure(f"node '{name}' ended at once: see {here}/node.log")
    return Node(name, slot.init, addresses)


def _wait_until_ready(slot: Slot, here: Path) -> None:
    """Until init.sh has done its work; a node that fails is removed, and its last words become the failure."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while not (here / "ready").exists():
        if not slot.alive() or time.monotonic() > deadline:
            said = (here / "node.log").read_text(errors="replace").strip() or "it said nothing"
            remove(slot)
            raise RuntimeFailure(f"node '{slot.node}' did not come up: {said[-600:]}")
        time.sleep(0.01)


def _child(holder: Process) -> Process | None:
    children = Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text().split()
    return Process.of(int(children[0])) if children else None


def _write_files(state: StateDir, name: str, addresses: NodeAddresses, mirror_hosts: Sequence[str]) -> None:
    """All that init.sh expects. Copied, so that neither the checkout's path nor its permissions matter on the node."""
    here = state.node(name)
    for directory in (state.lxc(name), here / "dns", state.pve / name / "lxc", state.ssh):
        directory.mkdir(parents=True, exist_ok=True)
    state.root.chmod(0o755)
    shutil.copytree(FILES, here / "files", dirs_exist_ok=True)
    shell.replace(here / "dnsmasq.conf", dnsmasq_config(name, addresses, mirror_hosts))
    shell.replace(here / "sshd_config", SSHD_CONFIG)


def _connect(node: Node) -> None:
    """The line between machine and node, and the routes over it; complete what an interrupted attempt left half done."""
    addresses = node.addresses
    wired = shell.succeeds(["ip", "link", "show", addresses.veth]) and shell.succeeds(node.argv(["ip", "link", "show", "uplink"]))
    if not wired:
        shell.succeeds(["ip", "link", "del", addresses.veth])
        shell.run(["ip", "link", "add", addresses.veth, "type", "veth", "peer", "name", "uplink", "netns", str(node.init.pid)])
    shell.run(["ip", "address", "replace", f"{addresses.uplink_machine}/30", "dev", addresses.veth])
    shell.run(["ip", "link", "set", addresses.veth, "up"])
    node.run(["ip", "address", "replace", f"{addresses.uplink_node}/30", "dev", "uplink"])
    node.run(["ip", "link", "set", "uplink", "up"])
    for service in (CACHE_ADDRESS, REGISTRY_ADDRESS):
        node.run(["ip", "route", "replace", f"{service}/32", "via", addresses.uplink_machine])
    shell.run(["ip", "route", "replace", addresses.network, "via", addresses.uplink_node, "dev", addresses.veth])


def vmids(state: StateDir, node: str) -> list[int]:
    """The guests that have a directory on a node, finished or not."""
    directory = state.lxc(node)
    return sorted(int(path.name) for path in directory.iterdir() if path.name.isdigit()) if directory.is_dir() else []


def remove(slot: Slot) -> None:
    """End a node and all in it: its PID 1 goes, the kernel takes the rest; then what the kernel leaves."""
    if slot.init is not None:
        shell.end(slot.init, (f"lab-{slot.node}"[:15],))
    shell.end(slot.holder, HOLDER_NAMES)
    veth = NodeAddresses(slot.index).veth
    deadline = time.monotonic() + 5
    while shell.succeeds(["ip", "link", "show", veth]) and time.monotonic() < deadline:
        shell.succeeds(["ip", "link", "del", veth])
        time.sleep(0.02)
    remove_groups(Path(slot.state), slot.node)
    slot.remove()
