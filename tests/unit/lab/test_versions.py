"""What differs between Proxmox VE 8.4 and 9.2, side by side in one lab."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import lab
import pytest
from lab.client import Client
from lab.model import Grant
from lab.schema.table import load_table

TEMPLATE = "local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst"
NEW = {"ostemplate": TEMPLATE, "rootfs": "local-lxc:1", "vmid": 100}
GUEST = "/nodes/pve1/lxc/100"


class Pair(NamedTuple):
    """A client of each version's cluster, as root and with the documented token."""

    old: Client
    new: Client
    plain_old: Client
    plain_new: Client


@pytest.fixture(scope="module")
def running() -> Iterator[lab.Lab]:
    with lab.start(seed=("demo84", "demo")) as server:
        yield server


@pytest.fixture(scope="module")
def pair(running: lab.Lab) -> Iterator[Pair]:
    ids = ("root@pam!test", "proximity@pve!demo")
    found = Pair(*(Client(site.urls["pve1"], site.tokens[id], running.ca_path) for id in ids for site in running.sites))
    for client in (found.old, found.new):
        assert client.done("POST /nodes/pve1/lxc", **NEW, unprivileged=1, features="nesting=1", start=1) == "OK"
    yield found
    for client in found:
        client.close()


def both(pair: Pair, call: str, **params: Any) -> tuple[Any, Any]:
    return pair.old.data(call, **params), pair.new.data(call, **params)


def test_they_say_who_they_are(pair: Pair) -> None:
    old, new = both(pair, "GET /version")
    assert (old["release"], old["version"][:3], new["release"], new["version"][:3]) == ("8.4", "8.4", "9.2", "9.2")
    old, new = both(pair, "GET /nodes/pve1/status")
    assert (old["pveversion"][:16], old["current-kernel"]["release"][:3]) == ("pve-manager/8.4.", "6.8")
    assert (new["pveversion"][:16], new["current-kernel"]["release"][:4]) == ("pve-manager/9.2.", "6.17")


def test_containers_are_privileged_or_not_unless_it_is_said(pair: Pair) -> None:
    for client, shown in ((pair.old, None), (pair.new, 1)):
        assert client.done("POST /nodes/pve1/lxc", **{**NEW, "vmid": 101}).startswith(("OK", "WARNINGS"))
        assert client.data("GET /nodes/pve1/lxc/101/config").get("unprivileged") == shown
        assert client.done("DELETE /nodes/pve1/lxc/101") == "OK"


def test_version_9_lets_only_those_make_privileged_ones_who_may_modify_the_system(pair: Pair) -> None:
    new = {**NEW, "vmid": 102, "unprivileged": 0}
    assert pair.plain_old("POST /nodes/pve1/lxc", **new).status_code == 200
    reply = pair.plain_new("POST /nodes/pve1/lxc", **new)
    assert (reply.status_code, reply.reason) == (403, "Permission check failed (/, Sys.Modify)")
    assert pair.new("POST /nodes/pve1/lxc", **new).status_code == 200


@pytest.mark.parametrize(("name", "value"), [("entrypoint", "/sbin/init"), ("env", "A=1")])
def test_options_that_came_with_9(pair: Pair, name: str, value: str) -> None:
    reply = pair.old(f"PUT {GUEST}/config", **{name: value})
    unknown = "property is not defined in schema and the schema does not allow additional properties"
    assert (reply.status_code, reply.json()["errors"]) == (400, {name: unknown})
    assert pair.new(f"PUT {GUEST}/config", **{name: value}).status_code == 200


def test_the_decade_came_with_9(pair: Pair) -> None:
    reply = pair.old("GET /nodes/pve1/rrddata", timeframe="decade")
    text = "value 'decade' does not have a value in the enumeration 'hour, day, week, month, year'"
    assert reply.json()["errors"] == {"timeframe": text}
    assert pair.new.data("GET /nodes/pve1/rrddata", timeframe="decade")


def test_options_of_backups_that_went_with_8(pair: Pair) -> None:
    given = {"vmid": 100, "storage": "local", "maxfiles": 1}
    assert pair.old.done("POST /nodes/pve1/vzdump", **given) == "OK"
    assert list(pair.new("POST /nodes/pve1/vzdump", **given).json()["errors"]) == ["maxfiles"]


def test_calls_that_came_with_9(pair: Pair) -> None:
    reply = pair.old(f"GET {GUEST}/migrate")
    assert (reply.status_code, reply.reason) == (501, f"Method 'GET {GUEST}/migrate' not implemented")
    assert pair.new(f"GET {GUEST}/migrate").status_code == 200
    assert set(load_table(8).calls) < set(load_table(9).calls)


def test_figures_that_came_with_9(pair: Pair, running: lab.Lab) -> None:
    running.advance(15)
    old, new = both(pair, f"GET {GUEST}/status/current")
    assert {name for name in new if name not in old} == {
        f"pressure{what}{who}" for what in ("cpu", "io", "memory") for who in ("full", "some")
    }
    (old,), (new,) = ([each for each in found if each["vmid"] == 100] for found in both(pair, "GET /cluster/resources", type="vm"))
    assert new.keys() - old.keys() == {"memhost"}


def test_the_privileges_of_their_roles(pair: Pair) -> None:
    old, new = (set(found) for found in both(pair, "GET /access/roles/Administrator"))
    assert old - new == {"VM.Monitor"}
    assert new - old >= {"VM.GuestAgent.Audit", "VM.Replicate"}
    assert pair.old("POST /access/roles", roleid="Watcher", privs="VM.Monitor").status_code == 200
    reply = pair.new("POST /access/roles", roleid="Watcher", privs="VM.Monitor")
    assert reply.json()["errors"] == {"privs": "invalid format - invalid privilege 'VM.Monitor'\n"}


def test_the_documented_token_is_enough_on_both(pair: Pair) -> None:
    for client in (pair.plain_old, pair.plain_new):
        given = {**NEW, "vmid": 103, "unprivileged": 1, "features": "nesting=1", "start": 1, "tags": "a", "net0": "name=eth0,bridge=vmbr0"}
        assert client.done("POST /nodes/pve1/lxc", **given) == "OK"
        assert client.done("DELETE /nodes/pve1/lxc/103", force=1) == "OK"


def test_a_version_that_there_is_not(running: lab.Lab) -> None:
    with pytest.raises(LookupError, match=r"there is no version '7.4'; there are 8.4 and 9.2"), lab.start(seed="demo@7.4"):
        pass


def test_grants_are_each_clusters_own(running: lab.Lab) -> None:
    old, new = (site.cluster for site in running.sites)
    old.grants.append(Grant("/vms/999", "user", "proximity@pve", "NoAccess"))
    assert old.grants != new.grants
