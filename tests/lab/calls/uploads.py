"""Files for storages: uploaded, or from a URL (pve-storage, API2/Storage/Status.pm; pve-manager, API2/Nodes.pm)."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

from lab.archives import FORMATS, archive_path, facts_of, shown_path
from lab.cluster import Cluster
from lab.context import Call
from lab.disks import add_volume, find_volume
from lab.errors import TaskFailure, refuse, wrong
from lab.fetch import FetchFailure, fetch, metadata, wget_command
from lab.model import Storage, Volume
from lab.registry import Data, answers
from lab.tasks import Task, TaskStopped

ENDINGS = {"vztmpl": r".+\.tar(\.(gz|xz|zst|bz2))?", "iso": r".+\.(iso|img)", "import": r".+\.(ova|qcow2|raw|vmdk)"}


@answers("POST", "/nodes/{node}/storage/{storage}/upload")
def upload(call: Call) -> Data:
    """A file of the same name is replaced. The task is one of the node that was asked, whichever node the file is for."""
    storage = call.cluster.storage_on(call.params["storage"], call.node)
    content = call.files.get("filename")
    if content is None:
        raise refuse("missing temporary file name")
    kind, name = str(call.params["content"]), _checked_name(call)
    if kind not in storage.content:
        raise refuse(f"storage '{storage.id}' does not support '{kind}' content")
    volume = _new_volume(call, storage, name)

    def work(task: Task) -> None:
        source = f"/var/tmp/pveupload-{hashlib.md5(content, usedforsecurity=False).hexdigest()}"
        task.say(f"starting file import from: {source}")
        _check_sum(task, call, content)
        shown = shown_path(storage, volume.name)
        task.say(f"target node: {call.node}", f"target file: {shown}", f"file size is: {len(content)}", f"command: cp -- {source} {shown}")
        path = archive_path(call.cluster, volume)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        _add(call.cluster, call.node, volume, path)
        task.say("finished file import successfully")

    return call.start_task("imgcopy", "", work, node=call.asked)


def _checked_name(call: Call) -> str:
    """The file's name without folders and odd characters, if its ending suits the content."""
    name = re.sub(r"[^a-zA-Z0-9_.-]", "_", re.sub(r".*[/\\]", "", str(call.params["filename"]).strip()))
    if not re.fullmatch(ENDINGS[call.params["content"]], name, re.IGNORECASE):
        text = "invalid filename or wrong extension" if call.params["content"] == "import" else "wrong file extension"
        raise wrong({"filename": text})
    return name


def _new_volume(call: Call, storage: Storage, name: str) -> Volume:
    kind = str(call.params["content"])
    shape = next((form for ending, form in FORMATS.items() if name.endswith(ending)), name.rpartition(".")[2])
    volume = Volume(storage.id, f"{kind}/{name}", kind, shape, 0, call.cluster.now())
    volume.node = "" if storage.shared else call.node
    return volume


def _add(cluster: Cluster, node: str, volume: Volume, path: Path) -> None:
    """The file is there: now it is a volume."""
    if volume.content == "vztmpl":
        volume.facts = {**facts_of(path), **volume.facts}
    volume.size = volume.size or path.stat().st_size
    with cluster.lock:
        volume.ctime = cluster.now()
        add_volume(cluster, node, volume)


def _check_sum(task: Task, call: Call, content: bytes) -> None:
    if algorithm := call.get("checksum-algorithm"):
        compare_sum(task, str(algorithm), str(call.params["checksum"]), content)


def compare_sum(task: Task, algorithm: str, expected: str, content: bytes) -> None:
    found = hashlib.new(algorithm, content, usedforsecurity=False).hexdigest()
    if found.lower() != expected.lower():
        task.say("calculating checksum...")
        raise TaskFailure(f"checksum mismatch: got '{found}' != expect '{expected}'")
    task.say("calculating checksum...OK, checksum verified")


@answers("POST", "/nodes/{node}/storage/{storage}/download-url")
def download(call: Call) -> Data:
    storage, kind = call.cluster.storage_on(call.params["storage"], call.node), call.params["content"]
    if kind not in storage.content:
        raise refuse(f"storage '{storage.id}' is not configured for content-type '{kind}'")
    name = _checked_name(call)
    volume = _new_volume(call, storage, name)
    return call.start_task("download", name, lambda task: _download(task, call, volume))


def _download(task: Task, call: Call, volume: Volume) -> None:
    if call.get("compression") and volume.content != "iso":
        raise TaskFailure(f"decompression not supported for {volume.content}")
    url, target = str(call.params["url"]), shown_path(call.cluster.storages[volume.storage], volume.name)
    task.say(f"downloading {url} to {target}")
    algorithm, expected = call.get("checksum-algorithm"), str(call.get("checksum", ""))
    if _is_there(task, call, volume, target):
        return
    path = archive_path(call.cluster, volume)
    part = path.with_name(f".{path.name}.part")
    try:
        fetch_wget(task, url, part, f"{target}.tmp_dwnl.{task.pid}", verify=bool(call.get("verify-certificates", 1)))
        if algorithm:
            compare_sum(task, algorithm, expected, part.read_bytes())
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)
    _add(call.cluster, call.node, volume, path)
    task.say(f"download of '{url}' to '{target}' finished")


def _is_there(task: Task, call: Call, volume: Volume, target: str) -> bool:
    """Whether the very file is there already; another one is not overwritten."""
    with call.cluster.lock:
        known = find_volume(call.cluster, call.node, volume.volid)
    if known is None:
        return False
    if "checksum-algorithm" not in call.params:
        raise TaskFailure(f"refusing to override existing file '{target}'")
    path, expected = archive_path(call.cluster, known), call.params["checksum"]
    content = path.read_bytes() if path.exists() else b""
    found = hashlib.new(call.params["checksum-algorithm"], content, usedforsecurity=False).hexdigest()
    if found.lower() != expected.lower():
        task.say("calculating checksum of existing file...")
        raise TaskFailure(f"checksum mismatch: got '{found}' != expect '{expected}', aborting")
    task.say("calculating checksum of existing file...OK, got correct file already, no need to download")
    return True


def fetch_wget(task: Task, url: str, path: Path, shown: str, *, verify: bool = True) -> None:
    """Get a file; a failure reads as wget's."""
    try:
        fetch(url, path, verify=verify, go_on=lambda: not task.stopping)
    except FetchFailure as failure:
        raise TaskFailure(f"download failed: command '{wget_command(url, shown, verify=verify)}' failed: {failure}") from failure
    if task.stopping:
        raise TaskStopped("download failed: got interrupted by signal")


@answers("GET", "/nodes/{node}/query-url-metadata", locked=False)
def query_url(call: Call) -> Data:
    found: dict[str, Any] | str = metadata(call.params["url"], verify=bool(call.get("verify-certificates", 1)))
    if isinstance(found, str):
        raise refuse(f"invalid server response: '{found}'")
    return found
