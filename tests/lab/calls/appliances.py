"""Appliance templates: the list, and getting one (pve-manager, API2/Nodes.pm)."""

from __future__ import annotations

from lab.appliances import Appliance, content, facts, shown
from lab.archives import FORMATS, archive_path, shown_path
from lab.context import Call
from lab.disks import add_volume, find_volume
from lab.errors import refuse, wrong
from lab.model import Storage, Volume
from lab.registry import Data, answers
from lab.tasks import Task


@answers("GET", "/nodes/{node}/aplinfo")
def list_appliances(call: Call) -> Data:
    return [shown(entry) for entry in call.cluster.appliances]


@answers("POST", "/nodes/{node}/aplinfo")
def get_appliance(call: Call) -> Data:
    entry = next((entry for entry in call.cluster.appliances if entry["template"] == call.params["template"]), None)
    if entry is None:
        raise wrong({"template": "no such template"})
    storage = call.cluster.storage_on(call.params["storage"], call.node)
    if "vztmpl" not in storage.content:
        raise refuse(f"storage '{storage.id}' does not support templates")
    return call.start_task("download", entry["template"], lambda task: _get(task, call, entry, storage))


def _get(task: Task, call: Call, entry: Appliance, storage: Storage) -> None:
    """Nothing is fetched: a simulated container needs no files, and those of a real one are on this machine."""
    cluster, name = call.cluster, str(entry["template"])
    shape = next(form for ending, form in FORMATS.items() if name.endswith(ending))
    volume = Volume(storage.id, f"vztmpl/{name}", "vztmpl", shape, int(entry.get("size", 0)), 0, facts=facts(entry))
    target = shown_path(storage, volume.name)
    task.say(f"downloading {entry['location']} to {target}")
    with cluster.lock:
        if find_volume(cluster, call.node, volume.volid):
            task.say("calculating checksum of existing file...OK, got correct file already, no need to download")
            return
        volume.node, volume.ctime = "" if storage.shared else call.node, cluster.now()
        path = archive_path(cluster, volume)
        if "file" in entry:
            volume.size = path.stat().st_size
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content(entry))
        add_volume(cluster, call.node, volume)
    task.say("calculating checksum...OK, checksum verified", f"download of '{entry['location']}' to '{target}' finished")
