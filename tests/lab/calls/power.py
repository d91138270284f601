"""Start, stop and their like; a container's state now."""

from __future__ import annotations

from typing import Any

from lab.calls.tasks import is_own
from lab.cluster import Cluster
from lab.configs import check_lock
from lab.containers import await_file, holding, shut_down, start_container, start_held, stop_container
from lab.context import Call
from lab.errors import TaskFailure, refuse, wrong
from lab.faces import MIB, disk_offered
from lab.guests.runtime import Usage
from lab.model import Guest
from lab.quorum import check_quorum
from lab.registry import Data, answers
from lab.tasks import Task

SHUTDOWN_S = 60
NO_CHECKPOINT = "command 'lxc-checkpoint -n {} -D /var/lib/vz/dump' failed: exit code 1"
PRESSURES = ("pressurecpufull", "pressurecpusome", "pressureiofull", "pressureiosome", "pressurememoryfull", "pressurememorysome")


@answers("GET", "/nodes/{node}/lxc/{vmid}/status")
def status_index(call: Call) -> Data:
    return [{"subdir": name} for name in ("current", "start", "stop", "shutdown", "suspend", "resume", "reboot")]


@answers("GET", "/nodes/{node}/lxc/{vmid}/status/current")
def current(call: Call) -> Data:
    return {**live(call.cluster, call.guest()), "ha": {"managed": 0}}


def live(cluster: Cluster, guest: Guest) -> dict[str, Any]:
    """A container as it is now: what `status/current` and the node's list have in common."""
    state, config = cluster.state_of(guest), guest.config
    usage = cluster.usage_of(guest) if state.running else Usage()
    swap = int(config.get("swap", 512))
    shown: dict[str, Any] = {
        "vmid": guest.vmid,
        "name": guest.name,
        "type": "lxc",
        "status": "running" if state.running else "stopped",
        "cpus": int(config.get("cores") or cluster.nodes[guest.node].cpus),
        "cpu": usage.cpu if state.running else 0,
        "maxmem": int(config.get("memory", 512)) * MIB,
        "mem": usage.mem,
        "maxswap": swap * MIB,
        "swap": 0,
        "maxdisk": disk_offered(guest, state.running),
        "disk": usage.disk,
        "diskread": usage.diskread,
        "diskwrite": usage.diskwrite,
        "netin": usage.netin,
        "netout": usage.netout,
        "uptime": max(0, int(cluster.clock.now() - state.started)) if state.running and state.started else 0,
    }
    if state.running:
        shown |= {"pid": state.pid or 0, **dict.fromkeys(PRESSURES if cluster.major >= 9 else (), "0.00")}
    for name in ("tags", "lock", "template"):
        if str(config.get(name, "")).strip():
            shown[name] = config[name]
    return shown


@answers("POST", "/nodes/{node}/lxc/{vmid}/status/start")
def start(call: Call) -> Data:
    _check_skiplock(call)
    cluster, node, vmid, skip = call.cluster, call.node, call.vmid, bool(call.get("skiplock"))
    _check_stopped(call)
    check_quorum(cluster)
    await_file(cluster, node, vmid)
    return call.start_task("vzstart", vmid, lambda task: start_container(task, cluster, node, vmid, skip_lock=skip))


@answers("POST", "/nodes/{node}/lxc/{vmid}/status/stop")
def stop(call: Call) -> Data:
    _check_skiplock(call)
    guest = _running(call)
    await_file(call.cluster, guest.node, guest.vmid)
    return call.start_task("vzstop", guest.vmid, lambda task: _stop(task, call, guest))


def _stop(task: Task, call: Call, guest: Guest) -> None:
    cluster = call.cluster
    with cluster.lock:
        if not call.get("skiplock"):
            check_lock(cluster.guest(guest.node, guest.vmid))
        if call.get("overrule-shutdown"):
            _overrule_shutdowns(task, call, guest)
    stop_container(cluster, guest)


def _overrule_shutdowns(task: Task, call: Call, guest: Guest) -> None:
    """End the tasks that wait for this guest to shut down, as far as the caller may."""
    running = (other for other in call.cluster.tasks.values() if other.running and other.type == "vzshutdown")
    waiting = [other for other in running if other.id == str(guest.vmid)]
    ended = [other for other in waiting if is_own(call, other) or call.may(f"/nodes/{other.node}", "Sys.Modify")]
    for other in ended:
        other.stopping = True
    if ended:
        task.say(f"overruled vzshutdown tasks: {', '.join(other.upid for other in ended)}")


@answers("POST", "/nodes/{node}/lxc/{vmid}/status/shutdown")
def shutdown(call: Call) -> Data:
    cluster, guest = call.cluster, _running(call)
    timeout, force = call.get("timeout", SHUTDOWN_S), bool(call.get("forceStop"))
    await_file(cluster, guest.node, guest.vmid)

    def work(task: Task) -> None:
        with cluster.lock:
            check_lock(cluster.guest(guest.node, guest.vmid))
        shut_down(task, cluster, guest, timeout, force)

    return call.start_task("vzshutdown", guest.vmid, work)


@answers("POST", "/nodes/{node}/lxc/{vmid}/status/reboot")
def reboot(call: Call) -> Data:
    cluster, guest = call.cluster, _running(call, "VM")

    def work(task: Task) -> None:
        with holding(cluster, guest.node, guest.vmid, "vzreboot"):
            if cluster.running(guest):
                shut_down(task, cluster, guest, call.get("timeout", SHUTDOWN_S), force=True)
                start_held(task, cluster, guest)

    return call.start_task("vzreboot", guest.vmid, work)


@answers("POST", "/nodes/{node}/lxc/{vmid}/status/suspend")
def suspend(call: Call) -> Data:
    """Suspending needs CRIU, which Proxmox VE does not bring: there, too, all that comes of it is a task that fails."""
    cluster, guest = call.cluster, _running(call)
    await_file(cluster, guest.node, guest.vmid)

    def work(task: Task) -> None:
        with cluster.lock:
            check_lock(cluster.guest(guest.node, guest.vmid))
        raise TaskFailure(NO_CHECKPOINT.format(f"{guest.vmid} -s"))

    return call.start_task("vzsuspend", guest.vmid, work)


@answers("POST", "/nodes/{node}/lxc/{vmid}/status/resume")
def resume(call: Call) -> Data:
    _check_stopped(call)

    def work(task: Task) -> None:
        raise TaskFailure(NO_CHECKPOINT.format(f"{call.vmid} -r --foreground"))

    return call.start_task("vzresume", call.vmid, work)


def _check_skiplock(call: Call) -> None:
    if call.get("skiplock") and not call.is_root:
        raise wrong({"skiplock": "Only root may use this option."})


def _check_stopped(call: Call) -> None:
    guest = call.cluster.guests.get(call.vmid)
    if guest and guest.node == call.node and call.cluster.running(guest):
        raise refuse(f"CT {call.vmid} already running")


def _running(call: Call, word: str = "CT") -> Guest:
    """The guest, which must run; one that is missing does not run either."""
    guest = call.cluster.guests.get(call.vmid)
    if guest is None or guest.node != call.node or not call.cluster.running(guest):
        raise refuse(f"{word} {call.vmid} not running")
    return guest
