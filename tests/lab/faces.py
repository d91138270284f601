"""What the cluster lists know of guests: they lag behind by up to pvestatd's interval, tags and locks excepted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lab.model import Face
from lab.schema.formats import parse_size

if TYPE_CHECKING:
    from lab.cluster import Cluster
    from lab.model import Guest

MIB = 1024**2


def disk_size(guest: Guest) -> int:
    """Bytes of the root disk in the config; 0 while the container is made."""
    size = re.search(r"(?:^|,)size=([^,]+)", str(guest.config.get("rootfs", "")))
    return (parse_size(size[1]) or 0) if size else 0


def disk_offered(guest: Guest, running: bool) -> int:
    """A running guest's file system offers a little less than the disk has."""
    size = disk_size(guest)
    return size - size // 40 if running else size


def face_of(cluster: Cluster, guest: Guest) -> Face:
    """The guest as it is now."""
    state, config = cluster.state_of(guest), guest.config
    cpus = int(config.get("cores") or cluster.nodes[guest.node].cpus)
    started = state.started or cluster.clock.now() if state.running else None
    return Face(cluster.clock.now(), guest.name, cpus, int(config.get("memory", 512)) * MIB, disk_offered(guest, state.running), started)


def note_face(cluster: Cluster, guest: Guest) -> None:
    """To be called when a guest's name, state or size has changed, with the cluster's lock held."""
    face = face_of(cluster, guest)
    if not guest.faces and guest.vmid in cluster.ghosts:
        guest.faces.append(cluster.ghosts.pop(guest.vmid))
    if not guest.faces or guest.faces[-1][1:] != face[1:]:
        guest.faces.append(face)


def forget_guest(cluster: Cluster, guest: Guest) -> None:
    """A guest is gone; a new one with its vmid may show its data until pvestatd has come round."""
    if face := shown_face(guest, last_round(cluster, guest.node)):
        cluster.ghosts = {vmid: old for vmid, old in cluster.ghosts.items() if cluster.clock.now() - old.since < 2 * cluster.lag_s}
        cluster.ghosts[guest.vmid] = face._replace(since=cluster.clock.now() - cluster.lag_s)


def last_round(cluster: Cluster, node: str) -> float:
    """When that node's pvestatd last told the cluster (Unix time)."""
    now = cluster.clock.now()
    if cluster.lag_s <= 0:
        return now
    return now - (now - 3 * cluster.nodes[node].nodeid) % cluster.lag_s


def shown_face(guest: Guest, round_time: float) -> Face | None:
    """The face that the last round told of; None for a guest that it did not know yet. Drops the older ones."""
    faces = guest.faces
    while len(faces) > 1 and faces[1].since <= round_time:
        faces.pop(0)
    return faces[0] if faces and faces[0].since <= round_time else None


def notice_deaths(cluster: Cluster) -> None:
    """Real guests start and end by themselves: bring the faces up to date."""
    if cluster.runtime.kind == "real":
        states = cluster.runtime.states()
        for guest in cluster.guests.values():
            state = states.get(guest.vmid)
            if guest.faces and (guest.faces[-1].started is not None) != bool(state and state.running):
                note_face(cluster, guest)
