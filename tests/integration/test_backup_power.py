"""A node that loses power while a backup is made or unpacked: its lock stays, a person removes it, and one more run finishes the work."""

from __future__ import annotations

import time
from dataclasses import dataclass

import lab as labs
import pytest
from faults.afterwards import remove_with_disks
from integration.modules import Runner
from integration.pve import Pve, Result, Run
from integration.test_backup_faults import JOBS, archives, backup, is_done, settle

__all__ = ["backup"]


@dataclass(frozen=True)
class Left:
    """What the next run says of what a node has left that lost power (nothing, where it can go on), and whether the container is whole."""

    told: str = ""
    whole: bool = True


UNLOCK, DESTROY = "run `pct unlock {vmid}` on that node", "run `pct unlock {vmid}` and `pct destroy {vmid}` on that node as root"
POWER = {
    ("make", "vzdump", "work"): Left(UNLOCK),
    ("restore", "vzdump", "work"): Left(UNLOCK),
    ("restore", "vzdump", "end"): Left(),
    ("restore", "vzrestore", "begin"): Left(UNLOCK),
    ("restore", "vzrestore", "work"): Left(DESTROY, whole=False),
    ("restore", "vzrestore", "end"): Left(),
    ("revive", "vzrestore", "work"): Left(DESTROY, whole=False),
    ("copy", "vzrestore", "work"): Left(whole=False),
}


@pytest.mark.parametrize(("job", "type_", "at"), POWER, ids=lambda value: value)
def test_node_that_loses_power(backup: Runner, app: Run, deployed: Result, pve: Pve, lab: labs.Lab, job: str, type_: str, at: str) -> None:
    """Nothing half restored runs; the run says at once what to do; after a person has done it, one more run finishes."""
    vmid, params, left = deployed["vmid"], JOBS[job].ready(backup, app, deployed["vmid"]), POWER[job, type_, at]
    lab.advance(2)
    before, existed = {row["volid"] for row in archives(pve)}, vmid in pve.vmids()
    lab.fault("task-loses-power", type=type_, at=at, seconds=0)
    assert backup(**params, api_retry_s=1).get("failed")
    lab.faults.clear()
    settle(pve)
    locked = [each for each in lab.cluster.guests.values() if "lock" in each.config]
    assert [set(each.config) == {"lock"} for each in locked] == ([not left.whole] if left.told or not left.whole else [])
    assert [row["volid"] for row in archives(pve) if row["volid"] in before] == sorted(before)
    began = time.monotonic()
    result = backup(**params)
    if left.told:
        assert left.told.format(vmid=vmid) in result["msg"]
        assert time.monotonic() - began < 30
        if left.whole:
            assert pve.status(vmid) == "stopped", "Proxmox starts nothing that is locked"
            assert backup(check=True, **params)["msg"] == result["msg"]
    for guest in locked:
        if left.whole:
            del guest.config["lock"]
        else:
            remove_with_disks(lab, guest)
    if left.told:
        result = backup(**params)
    assert not result.get("failed"), result["msg"]
    if job == "make":
        app()
    is_done(job, pve, vmid, params)
    assert existed or job in ("revive", "copy")
    assert not backup(**params)["changed"]
