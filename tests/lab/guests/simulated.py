"""Guests that exist only as data: they boot at once or after a scripted time, and get addresses made up from their bridge."""

from __future__ import annotations

import ipaddress
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.clock import Clock
from lab.guests.archive import write_archive
from lab.guests.runtime import Config, GuestState, Log, RuntimeFailure, Usage

MIB = 1024**2
Dhcp = tuple[str, str, int]
"""First and last address that a bridge's DHCP gives, and the length of the network's prefix."""


@dataclass
class Script:
    """How a guest behaves: seconds until it has an address; whether it hears a shutdown, and how long that takes."""

    address_s: float = 0.0
    deaf: bool = False
    shutdown_s: float = 0.0
    start_fails: str = ""


class SimulatedRuntime:
    """Guests of one cluster, safe for threads. `scripts` may be changed by tests, by vmid; 0 is the default for all."""

    kind = "simulated"

    def __init__(self, clock: Clock, bridges: Callable[[str, str], Dhcp | None]) -> None:
        """`bridges` tells a bridge's DHCP range by node and name; None without one."""
        self.clock, self._bridges = clock, bridges
        self.scripts: dict[int, Script] = {0: Script()}
        self._states: dict[int, GuestState] = {}
        self._configs: dict[int, Config] = {}
        self._leases: dict[str, str] = {}
        self._pid = 20_000
        self._lock = threading.Lock()

    def script(self, vmid: int) -> Script:
        return self.scripts.get(vmid, self.scripts[0])

    def create(self, node: str, vmid: int, config: Config, archive: Path, log: Log) -> None:
        self.restore(node, vmid, config, archive, log)

    def apply(self, node: str, vmid: int, config: Config) -> None:
        if vmid in self._states:
            self._configs[vmid] = dict(config)

    def start(self, node: str, vmid: int, config: Config, log: Log) -> None:
        if text := self.script(vmid).start_fails:
            raise RuntimeFailure(text)
        with self._lock:
            self._pid += 7
            self._configs[vmid] = dict(config)
            self._states = {**self._states, vmid: GuestState(True, self._pid, self.clock.now())}

    def replace_running(self, guests: Mapping[int, tuple[Config, float]]) -> None:
        """Make exactly these the running ones: vmid -> config and when it was started (Unix time)."""
        with self._lock:
            self._configs = {vmid: config for vmid, (config, _) in guests.items()}
            self._states = {vmid: GuestState(True, 20_000 + vmid, started) for vmid, (_, started) in guests.items()}

    def stop(self, node: str, vmid: int) -> None:
        with self._lock:
            self._states = {other: state for other, state in self._states.items() if other != vmid}

    def shutdown(self, node: str, vmid: int, timeout_s: float) -> bool:
        script = self.script(vmid)
        deaf = script.deaf or "sleep" in str(self._configs.get(vmid, {}).get("entrypoint", ""))
        if deaf or script.shutdown_s > timeout_s > 0:
            self.clock.sleep(timeout_s or 3600, lambda: vmid not in self._states)
            return vmid not in self._states
        self.clock.sleep(script.shutdown_s)
        self.stop(node, vmid)
        return True

    def suspend(self, node: str, vmid: int) -> None:
        """Nothing to do: a simulated guest has no processes."""

    def resume(self, node: str, vmid: int) -> None:
        """Nothing to do."""

    def states(self) -> dict[int, GuestState]:
        """The running ones; do not change it."""
        return self._states

    def interfaces(self, node: str, vmid: int) -> list[dict[str, Any]]:
        state, config = self._states.get(vmid), self._configs.get(vmid, {})
        shown = [_interface("lo", "00:00:00:00:00:00", [("127.0.0.1", 8), ("::1", 128)])]
        age_s = max(0.0, self.clock.now() - (state.started or 0)) if state else 0.0  # the clock may jump back
        up = state is not None and age_s >= self.script(vmid).address_s
        for name in sorted(key for key in config if re.fullmatch(r"net\d+", key)):
            net = dict(part.split("=", 1) for part in str(config[name]).split(",") if "=" in part)
            shown.append(_interface(net.get("name", "eth0"), net["hwaddr"].lower(), self._addresses(node, net) if up else []))
        return shown

    def _addresses(self, node: str, net: Mapping[str, str]) -> list[tuple[str, int]]:
        """Without a cable only a fixed one, as Debian's ifupdown sets it: nobody answers, and the kernel makes none itself."""
        found = []
        if net.get("ip", "manual") not in {"manual", "dhcp"}:
            interface = ipaddress.ip_interface(net["ip"])
            found.append((str(interface.ip), interface.network.prefixlen))
        if net.get("link_down"):
            return found
        if net.get("ip") == "dhcp" and (pool := self._bridges(node, net.get("bridge", ""))):
            found.append((self._lease(net["hwaddr"], pool), pool[2]))
        return [*found, (_link_local(net["hwaddr"]), 64)]

    def _lease(self, mac: str, pool: Dhcp) -> str:
        """The same address for the same hardware address as long as the lab runs."""
        first, last = (int(ipaddress.ip_address(end)) for end in pool[:2])
        with self._lock:
            if mac not in self._leases:
                taken, size = set(self._leases.values()), last - first + 1
                start = int(mac.replace(":", ""), 16) % size
                offers = (str(ipaddress.ip_address(first + (start + n) % size)) for n in range(size))
                self._leases[mac] = next((offer for offer in offers if offer not in taken), str(ipaddress.ip_address(first)))
            return self._leases[mac]

    def usage(self, node: str, vmid: int) -> Usage:
        """Figures that move with time and differ between guests."""
        state = self._states.get(vmid)
        if state is None:
            return Usage()
        age = int(self.clock.now() - (state.started or 0))
        beat = (age // 10 + vmid) % 60
        memory = int(self._configs.get(vmid, {}).get("memory", 512)) * MIB
        return Usage(
            cpu=0.001 + beat / 2000,
            mem=min(memory, 40 * MIB + beat * MIB // 4 + (vmid % 7) * 8 * MIB),
            disk=300 * MIB + age * 100,
            netin=age * (400 + vmid % 50),
            netout=age * (90 + vmid % 30),
            diskread=30 * MIB + age * 300,
            diskwrite=4 * MIB + age * 900,
        )

    def destroy(self, node: str, vmid: int) -> None:
        self.stop(node, vmid)
        self._configs.pop(vmid, None)

    def clone(self, node: str, source: int, target: int, snapshot: str | None, log: Log) -> None:
        """Nothing to copy."""

    def snapshot(self, node: str, vmid: int, name: str) -> None:
        """Nothing to keep."""

    def rollback(self, node: str, vmid: int, name: str) -> None:
        self.stop(node, vmid)

    def delete_snapshot(self, node: str, vmid: int, name: str) -> None:
        """Nothing to remove."""

    def backup(self, node: str, vmid: int, archive: Path, config_text: str, log: Log) -> None:
        """A true archive, with nothing but the configuration in it."""
        write_archive(archive, {"./etc/vzdump/pct.conf": config_text})

    def restore(self, node: str, vmid: int, config: Config, archive: Path, log: Log) -> None:
        log(f"extracting archive '{archive}'")
        log("Total bytes read: 163563520 (156MiB, 312MiB/s)")

    def migrate(self, source: str, target: str, vmid: int) -> None:
        """A guest without processes is at home on every node."""


def _interface(name: str, mac: str, addresses: list[tuple[str, int]]) -> dict[str, Any]:
    found = [(ipaddress.ip_address(address), length) for address, length in addresses]
    kinds = {4: "inet", 6: "inet6"}
    shown = [{"ip-address": str(ip), "ip-address-type": kinds[ip.version], "prefix": str(length)} for ip, length in found]
    first = {kinds[ip.version]: f"{ip}/{length}" for ip, length in reversed(found)}
    return {"name": name, "hwaddr": mac, "hardware-address": mac, "ip-addresses": shown, **first}


def _link_local(mac: str) -> str:
    """The IPv6 address that Linux makes from a hardware address."""
    parts = [int(part, 16) for part in mac.split(":")]
    parts = [parts[0] ^ 2, *parts[1:3], 0xFF, 0xFE, *parts[3:]]
    return str(ipaddress.IPv6Address(bytes([0xFE, 0x80] + [0] * 6 + parts)))
