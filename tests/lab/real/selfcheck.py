"""`python -m lab.real selfcheck`: does this machine do what the lab needs of real guests? Every step for real, with its seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from lab.guests.runtime import RuntimeFailure
from lab.real import shell
from lab.real.cgroups import hierarchies, lab_group
from lab.real.layout import RANGE
from lab.real.lifecycle import RealLab, down, up
from lab.real.machine import slots
from lab.real.rootfs import config_in_archive, delete
from lab.real.shell import Say
from lab.real.templates import DOCKER, STANDARD

NODES = ("pve1", "pve2")
PLAIN, GOLDEN, COPY = 190, 191, 192
GOLDEN_HOST = 50
"""The golden guest's place in the first node's network."""
COMPOSE = """\
services:
  web:
    image: lab/web:1.0
    ports: ["8080:8080"]
    environment: {GREETING: selfcheck}
    depends_on: {api: {condition: service_healthy}}
    restart: unless-stopped
  api:
    image: lab/api:1.0
    volumes: ["notes:/data"]
    restart: unless-stopped
volumes: {notes: {}}
"""


@dataclass
class Selfcheck:
    """One run: the lab under test, and what took how long."""

    state_dir: Path
    say: Say
    seconds: list[tuple[str, float]] = field(default_factory=list)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        except RuntimeFailure as error:
            raise RuntimeFailure(f"selfcheck failed at '{name}': {error}") from error
        self.seconds.append((name, time.monotonic() - began))
        self.say(f"{name:<52} {self.seconds[-1][1]:7.2f} s")

    def run(self) -> None:
        with self.step("up: two nodes, services, templates, images"):
            lab = up(self.state_dir, NODES, say=self.say)
        for vmid, node in lab.runtime.guests().items():
            with self.step(f"destroy CT {vmid}, left by a killed run"):
                lab.runtime.destroy(node, vmid)
        self.check_plain(lab)
        self.check_golden(lab)
        self.check_second_node(lab)
        with self.step("down"):
            down(self.state_dir, wipe=True)
            delete(self.state_dir / "dump")
        expect(not left_behind(self.state_dir), f"left behind: {left_behind(self.state_dir)}")

    def check_plain(self, lab: RealLab) -> None:
        """The template without Docker: DHCP, packages through the cache, no way out, truth about its state."""
        config = configuration("plain", "ip=dhcp", memory=256)
        runtime = lab.runtime
        with self.step("create from the standard template"):
            runtime.create("pve1", PLAIN, config, lab.templates[STANDARD.name], silent)
        with self.step("start"):
            runtime.start("pve1", PLAIN, config, silent)
        with self.step("systemd is up, with an address by DHCP"):
            wait_for_systemd(lab, "pve1", PLAIN)
            expect(address_of(lab, "pve1", PLAIN).startswith(lab.addresses["pve1"].subnet), "no address of the node's network")
        with self.step("apt-get update and install of a package"):
            pct(
                lab,
                PLAIN,
                "sh",
                "-c",
                "apt-get -qq update && apt-get -qq install -y --no-install-recommends tree >/dev/null && tree --version",
            )
        with self.step("no way out, and said at once"):
            blocked = "timeout 2 bash -c 'echo > /dev/tcp/198.51.100.1/80'; test $? = 1 && ! timeout 2 getent hosts nowhere.example"
            pct(lab, PLAIN, "bash", "-c", blocked)
        with self.step("change of memory, name and network while it runs"):
            runtime.apply(
                "pve1", PLAIN, {**config, "hostname": "renamed", "memory": 300, "net1": "name=eth1,bridge=vmbr1,ip=10.99.0.2/24,tag=7"}
            )
            expect(pct(lab, PLAIN, "hostname").strip() == "renamed", "the host name did not change")
            expect("10.99.0.2" in str(runtime.interfaces("pve1", PLAIN)), "the second network did not come")
        with self.step("reboot from within"):
            before = runtime.states()[PLAIN].pid
            pct(lab, PLAIN, "systemctl", "reboot", ok=(0, 1, 255))
            shell.wait_until(lambda: runtime.states()[PLAIN].pid not in (before, None), 20, "the guest reboots")
            wait_for_systemd(lab, "pve1", PLAIN)
        self._check_truth(lab)

    def _check_truth(self, lab: RealLab) -> None:
        runtime = lab.runtime
        with self.step("a guest that dies is stopped"):
            shell.run(["kill", "-9", str(runtime.states()[PLAIN].pid)])
            shell.wait_until(lambda: not runtime.states()[PLAIN].running, 5, "the dead guest is stopped")
        with self.step("one started behind the lab's back is seen"):
            shell.wait_until(lambda: not runtime.present.is_held("pve1", PLAIN), 5, "LXC lets go of the dead guest")
            ssh(lab, "pct", "start", str(PLAIN))
            expect(runtime.states()[PLAIN].running, "it is not seen")
            wait_for_systemd(lab, "pve1", PLAIN)

    def check_golden(self, lab: RealLab) -> None:
        """The template with Docker: a stack from the registry, its data through snapshot, rollback, backup and restore."""
        network = lab.addresses["pve1"]
        config = configuration("golden", f"ip={network.subnet}.{GOLDEN_HOST}/24,gw={network.node}", memory=1024)
        runtime, archive = lab.runtime, self.state_dir / "dump" / "vzdump-lxc-191.tar.zst"
        with self.step("create from the docker template"):
            runtime.create("pve1", GOLDEN, config, lab.templates[DOCKER.name], silent)
        with self.step("start, systemd is up"):
            runtime.start("pve1", GOLDEN, config, silent)
            wait_for_systemd(lab, "pve1", GOLDEN)
        with self.step("docker compose up --wait, images from the registry"):
            pct(lab, GOLDEN, "sh", "-c", "mkdir -p /opt/check && cat > /opt/check/compose.yml", text=COMPOSE)
            pct(lab, GOLDEN, "docker", "compose", "--project-directory", "/opt/check", "up", "-d", "--wait", "--quiet-pull")
        with self.step("HTTP 200 from the machine, data written"):
            expect("selfcheck" in http(lab, "GET", "/"), "the page lacks its text")
            http(lab, "PUT", "/api/note", "first")
        with self.step("usage"):
            expect(runtime.usage("pve1", GOLDEN).mem > 0, "no memory used")
        with self.step("snapshot, running"):
            runtime.snapshot("pve1", GOLDEN, "one")
        http(lab, "PUT", "/api/note", "second")
        with self.step("rollback"):
            runtime.rollback("pve1", GOLDEN, "one")
        self._answers_again(lab, config, "start, the stack answers with the first note", "first")
        with self.step("backup (zstd), suspended"):
            runtime.suspend("pve1", GOLDEN)
            runtime.backup("pve1", GOLDEN, archive, "hostname: golden\n", silent)
            runtime.resume("pve1", GOLDEN)
            expect(config_in_archive(archive) == "hostname: golden\n", "the archive lacks the configuration")
        with self.step("shutdown"):
            expect(runtime.shutdown("pve1", GOLDEN, 60), "it did not end")
        with self.step("destroy"):
            runtime.destroy("pve1", GOLDEN)
        with self.step("restore"):
            runtime.restore("pve1", GOLDEN, config, archive, silent)
        self._answers_again(lab, config, "start, the stack answers with its data", "first")
        with self.step("stop and destroy"):
            runtime.stop("pve1", GOLDEN)
            runtime.destroy("pve1", GOLDEN)

    def _answers_again(self, lab: RealLab, config: dict[str, object], name: str, kept: str) -> None:
        with self.step(name):
            lab.runtime.start("pve1", GOLDEN, config, silent)
            shell.wait_until(lambda: note(lab) == kept, 30, f"the note is '{kept}'", every_s=0.1)

    def check_second_node(self, lab: RealLab) -> None:
        runtime, config = lab.runtime, configuration("copy", "ip=dhcp", memory=256)
        with self.step("clone"):
            runtime.stop("pve1", PLAIN)
            runtime.clone("pve1", PLAIN, COPY, None, silent)
            runtime.apply("pve1", COPY, config)
        with self.step("migrate to the second node, start there"):
            runtime.migrate("pve1", "pve2", COPY)
            runtime.start("pve2", COPY, config, silent)
            wait_for_systemd(lab, "pve2", COPY)
            expect(address_of(lab, "pve2", COPY).startswith(lab.addresses["pve2"].subnet), "no address of the second node")
        with self.step("destroy both"):
            runtime.destroy("pve2", COPY)
            runtime.destroy("pve1", PLAIN)


def silent(line: str) -> None:
    """A log that nobody reads."""


def expect(true: bool, otherwise: str) -> None:
    if not true:
        raise RuntimeFailure(otherwise)


def configuration(hostname: str, address: str, memory: int) -> dict[str, object]:
    number = {"plain": 1, "golden": 2, "copy": 3}[hostname]
    net0 = f"name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:01:{number:02X},{address},type=veth"
    return {"hostname": hostname, "memory": memory, "cores": 2, "features": "nesting=1", "unprivileged": 1, "net0": net0}


def pct(lab: RealLab, vmid: int, *command: str, text: str | None = None, ok: tuple[int, ...] = (0,)) -> str:
    """`pct exec` on the first node."""
    return lab.runtime.present.node("pve1").run(["pct", "exec", str(vmid), "--", *command], text=text, ok=ok)


def ssh(lab: RealLab, *command: str) -> str:
    return shell.run(["ssh", "-F", lab.ssh_config, "-o", "BatchMode=yes", "pve1", *command])


def wait_for_systemd(lab: RealLab, node: str, vmid: int) -> None:
    on_node = lab.runtime.present.node(node)
    attach = ["lxc-attach", "-n", str(vmid), "--clear-env", "--"]

    def is_up() -> bool:
        return on_node.run([*attach, "systemctl", "is-system-running"], ok=(0, 1, 127, 255)).strip() in ("running", "degraded")

    shell.wait_until(is_up, 60, f"systemd of CT {vmid} is up", every_s=0.05)


def address_of(lab: RealLab, node: str, vmid: int) -> str:
    links = {link["name"]: link for link in lab.runtime.interfaces(node, vmid)}
    return str(links["eth0"].get("inet", ""))


def http(lab: RealLab, method: str, path: str, body: str | None = None) -> str:
    """One request to the stack in the golden guest; RuntimeFailure unless it says 200."""
    connection = HTTPConnection(f"{lab.addresses['pve1'].subnet}.{GOLDEN_HOST}", 8080, timeout=5)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        text = answer.read().decode()
    except (OSError, HTTPException) as error:
        raise RuntimeFailure(f"{method} {path}: {error}") from error
    finally:
        connection.close()
    expect(answer.status == 200, f"{method} {path}: {answer.status}")
    return text


def note(lab: RealLab) -> str:
    """The note that the stack keeps, empty while it does not answer."""
    try:
        return http(lab, "GET", "/api/note").strip()
    except RuntimeFailure:
        return ""


def left_behind(state_dir: Path) -> list[str]:
    """What `down` should have taken with it."""
    found = [f"node {slot.node}" for slot in slots() if slot.state == str(state_dir)]
    found += [str(path) for root in set(hierarchies().values()) for path in root.rglob(f"{lab_group(state_dir)}*")]
    if RANGE not in shell.run(["ip", "route", "show", "type", "blackhole"]):
        found.append("no blackhole route")
    return found


def selfcheck(state_dir: Path, say: Say) -> bool:
    """Run it; True when all of it worked. The lab is taken down in any case."""
    check = Selfcheck(state_dir.resolve(), say)
    began = time.monotonic()
    try:
        check.run()
    except RuntimeFailure as error:
        say(str(error))
        down(state_dir)
        return False
    say(f"{'all of it':<52} {time.monotonic() - began:7.2f} s")
    return True
