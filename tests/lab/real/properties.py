"""Proxmox's property strings (`name=eth0,bridge=vmbr0,ip=dhcp`) as data. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lab.guests.runtime import Config, RuntimeFailure

BRIDGE_NAME_LIMIT = 15
"""Of Linux, for a network interface's name."""


def parse(text: str, default_key: str | None = None) -> dict[str, str]:
    """A property string as a mapping; a part without `=` belongs to `default_key`."""
    found: dict[str, str] = {}
    for part in text.split(","):
        key, given, value = part.strip().partition("=")
        if not key:
            continue
        if given:
            found[key] = value
        elif default_key is not None:
            found[default_key] = key
        else:
            raise RuntimeFailure(f"cannot read '{text}': '{part}' has no value")
    return found


def flag(value: object) -> bool:
    """A Proxmox boolean: 1, "1", "on", "yes", "true", True."""
    return str(value).lower() in ("1", "on", "yes", "true")


@dataclass(frozen=True)
class Nic:
    """One netN of a container; `ip` is "dhcp", "manual", a CIDR or empty."""

    number: int
    name: str
    bridge: str
    hwaddr: str = ""
    ip: str = ""
    gateway: str = ""
    ip6: str = ""
    gateway6: str = ""
    tag: int | None = None
    mtu: int | None = None
    link_down: bool = False

    @property
    def segment(self) -> str:
        """The bridge that carries it: a tag is a bridge of its own, as on a bridge of Proxmox that knows no VLANs."""
        name = self.bridge if self.tag is None else f"{self.bridge}v{self.tag}"
        if len(name) > BRIDGE_NAME_LIMIT:
            raise RuntimeFailure(f"bridge name '{name}' for VLAN {self.tag} is longer than {BRIDGE_NAME_LIMIT} characters")
        return name

    def veth(self, vmid: int) -> str:
        """The node's end, named as Proxmox names it."""
        return f"veth{vmid}i{self.number}"


def nic(number: int, text: str) -> Nic:
    """Read netN."""
    found = parse(text)
    if not found.get("bridge"):
        raise RuntimeFailure(f"net{number} names no bridge")
    return Nic(
        number=number,
        name=found.get("name", f"eth{number}"),
        bridge=found["bridge"],
        hwaddr=found.get("hwaddr", ""),
        ip=found.get("ip", ""),
        gateway=found.get("gw", ""),
        ip6=found.get("ip6", ""),
        gateway6=found.get("gw6", ""),
        tag=int(found["tag"]) if found.get("tag") else None,
        mtu=int(found["mtu"]) if found.get("mtu") else None,
        link_down=flag(found.get("link_down", 0)),
    )


def nics(config: Config) -> tuple[Nic, ...]:
    """All networks of a container, in order."""
    numbered = sorted((int(key[3:]), str(value)) for key, value in config.items() if re.fullmatch(r"net\d+", key))
    return tuple(nic(number, text) for number, text in numbered)


def features(config: Config) -> dict[str, bool]:
    """`nesting=1,keyctl=1` as truth values."""
    return {key: flag(value) for key, value in parse(str(config.get("features", ""))).items()}


def mount_points(config: Config) -> dict[int, str]:
    """Number -> place in the guest of every mpN."""
    found = {}
    for key, value in config.items():
        if re.fullmatch(r"mp\d+", key):
            place = parse(str(value), default_key="volume").get("mp", "")
            if place.startswith("/") and ".." not in place.split("/"):
                found[int(key[2:])] = place
    return dict(sorted(found.items()))


def hostname(vmid: int, config: Config) -> str:
    return str(config.get("hostname") or f"CT{vmid}")


def core_count(config: Config) -> float | None:
    """How many CPUs' time a guest may use; None for all. `cpulimit` is a text in Proxmox's configs."""
    limits = [float(config[key]) for key in ("cores", "cpulimit") if config.get(key) and float(config[key]) > 0]
    return min(limits) if limits else None


def memory_mb(config: Config) -> int:
    return int(config.get("memory") or 512)
