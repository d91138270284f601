"""The token that docs/token.md describes can do all that the collection does, on `/` and on the narrower paths alike, and no more."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import lab
import pytest
from lab.client import Client
from lab.model import Storage

DOCUMENT = Path(__file__).parents[3] / "docs" / "token.md"
STORES = {"local": "local", "local-lvm": "disks"}
"""The storages that the document names, and what stands for them here."""
TEMPLATE = "local:vztmpl/debian-13-minimal_13.0-1_amd64.tar.zst"
GUEST = "/nodes/pve-c1/lxc/8123"


def documented_privileges() -> str:
    found = re.search(r'--privs "([^"]+)"', DOCUMENT.read_text(encoding="utf-8"))
    assert found
    return ",".join(found[1].replace("\\", " ").split())


def documented_paths() -> list[str]:
    """Those of the loop; a pool and the ledger besides, which its table names."""
    found = re.search(r"for path in (.+); do", DOCUMENT.read_text(encoding="utf-8"))
    assert found
    paths = [re.sub(r"(?<=^/storage/).*", lambda part: STORES[part[0]], path) for path in found[1].split()]
    return [*paths, "/pool/apps", "/mapping/dir/ledger"]


@pytest.fixture(params=["everywhere", "where it is needed"])
def token(request: pytest.FixtureRequest, server: lab.Lab) -> Iterator[Client]:
    """A client with the documented token, made over the API as the document does with pveum."""
    server.cluster.storages["disks"] = Storage("disks", "btrfs", ["rootdir", "images"], "/srv/disks")
    admin = Client(server.url, server.token, server.ca_path)
    admin.data("POST /access/roles", roleid="Proximity", privs=documented_privileges())
    admin.data("POST /access/users", userid="proximity@pve")
    for path in ["/"] if request.param == "everywhere" else documented_paths():
        admin.data("PUT /access/acl", path=path, users="proximity@pve", roles="Proximity")
    admin.data("POST /cluster/mapping/dir", id="ledger", map="node=ledger,path=/ledger")
    admin.data("POST /pools", poolid="apps")
    made = admin.data("POST /access/users/proximity@pve/token/ansible", privsep=0)
    client = Client(server.url, f"{made['full-tokenid']}={made['value']}", server.ca_path)
    yield client
    client.close()
    admin.close()


@pytest.fixture
def server() -> Iterator[lab.Lab]:
    with lab.start(seed="cluster") as running:
        running.cluster.lag_s = 0
        yield running


def create(token: Client) -> None:
    options = {
        "hostname": "app",
        "tags": "proximity;app",
        "description": "# App\n\n<!-- proximity {} -->",
        "net0": "name=eth0,bridge=vmbr0,ip=dhcp",
        "features": "nesting=1",
        "onboot": 1,
        "cores": 1,
        "memory": 256,
        "swap": 0,
    }
    assert (
        token.done("POST /nodes/pve-c1/lxc", vmid=8123, ostemplate=TEMPLATE, rootfs="disks:2", unprivileged=1, start=1, **options) == "OK"
    )


def test_a_container_s_whole_life(token: Client) -> None:
    create(token)
    assert token.data(f"GET {GUEST}/status/current")["status"] == "running"
    assert token.data(f"GET {GUEST}/interfaces")
    digest = token.data(f"GET {GUEST}/config")["digest"]
    changed = {"description": "new", "tags": "proximity", "memory": 300, "cores": 2, "onboot": 0, "net0": "name=eth0,bridge=vmbr0,ip=dhcp"}
    assert token.data(f"PUT {GUEST}/config", digest=digest, **changed) is None
    assert token.done(f"PUT {GUEST}/resize", disk="rootfs", size="+1G") == "OK"
    assert token.done(f"POST {GUEST}/snapshot", snapname="before") == "OK"
    assert token.done(f"POST {GUEST}/snapshot/before/rollback") == "OK"
    assert token.done(f"DELETE {GUEST}/snapshot/before") == "OK"
    assert token.done(f"POST {GUEST}/clone", newid=8124, full=1, hostname="copy") == "OK"
    assert token.done(f"POST {GUEST}/status/start") == "OK"
    assert token.done(f"POST {GUEST}/status/shutdown", timeout=10, forceStop=1) == "OK"
    assert token.done(f"POST {GUEST}/migrate", target="pve-c2") == "OK"
    assert [guest["node"] for guest in token.data("GET /cluster/resources", type="vm") if guest["vmid"] == 8123] == ["pve-c2"]
    assert token.done("DELETE /nodes/pve-c2/lxc/8123", purge=1) == "OK"
    assert token.done("DELETE /nodes/pve-c1/lxc/8124", purge=1) == "OK"


def test_backups_and_restores(token: Client) -> None:
    create(token)
    job = {"mode": "snapshot", "compress": "zstd", "notes-template": "{{guestname}}: nonce", "protected": 1, "remove": 0}
    assert token.done("POST /nodes/pve-c1/vzdump", vmid="8123", storage="local", **job) == "OK"
    (backup,) = token.data("GET /nodes/pve-c1/storage/local/content", content="backup", vmid=8123)
    assert backup["notes"] == "app: nonce"
    assert token.done(f"POST {GUEST}/status/stop") == "OK"
    over = {"vmid": 8123, "ostemplate": backup["volid"], "restore": 1, "force": 1, "storage": "disks"}
    assert token.done("POST /nodes/pve-c1/lxc", **over) == "OK"
    assert token.done("POST /nodes/pve-c1/lxc", **{**over, "vmid": 8125, "force": 0}, pool="apps", unique=1) == "OK"
    item = f"/nodes/pve-c1/storage/local/content/{backup['volid']}"
    assert token.data(f"PUT {item}", notes="kept", protected=0) is None
    assert token.data(f"GET {item}")["notes"] == "kept"
    assert token.data("GET /nodes/pve-c1/storage/local/prunebackups", vmid=8123, **{"prune-backups": "keep-last=1"})
    assert token.done("DELETE /nodes/pve-c1/storage/local/prunebackups", vmid=8123, **{"prune-backups": "keep-last=1"}) == "OK"
    assert token.done(f"DELETE {item}") == "OK"


def test_what_is_around_the_containers(token: Client, server: lab.Lab) -> None:
    assert token.data("GET /cluster/nextid") == "100"
    assert all("maxmem" in node for node in token.data("GET /nodes"))
    assert token.data("GET /nodes/pve-c1/network", type="any_bridge")
    names = {storage["storage"] for storage in token.data("GET /nodes/pve-c1/storage")}
    assert names == {"local", "disks"}
    held = token.data("GET /access/permissions")
    assert "Mapping.Modify" in (held.get("/") or held["/mapping/dir/ledger"])
    ledger = token.data("GET /cluster/mapping/dir/ledger")
    entry = {"map": "node=ledger,path=/ledger", "description": '{"8001": "app"}', "digest": ledger["digest"]}
    assert token.data("PUT /cluster/mapping/dir/ledger", **entry) is None
    assert token("PUT /cluster/mapping/dir/ledger", **entry).reason.startswith("update directory mapping failed: detected modified")
    assert token.done("POST /nodes/pve-c1/aplinfo", storage="local", template="debian-12-standard_12.12-1_amd64.tar.zst") == "OK"
    reply = token("POST /nodes/pve-c1/storage/local/download-url", content="vztmpl", filename="x.tar.gz", url="http://127.0.0.1:9/x")
    assert token.wait(reply.json()["data"]).startswith("download failed: command 'wget")
    assert token.data("PUT /pools/apps", comment="of the collection") is None


@pytest.mark.parametrize(
    ("call", "params", "reason"),
    [
        (f"PUT {GUEST}/config", {"features": "nesting=1,keyctl=1"}, "changing feature flags (except nesting) is only allowed for root@pam"),
        (f"PUT {GUEST}/config", {"mp0": "/srv,mp=/srv"}, "mount point type bind is only allowed for root@pam"),
        (f"PUT {GUEST}/config", {"dev0": "/dev/null"}, "configuring device passthrough is only allowed for root@pam"),
        ("POST /nodes/pve-c1/vzdump", {"vmid": "8123", "prune-backups": "keep-last=1"}, "/storage/local, Datastore.Allocate"),
        ("POST /nodes/pve-c1/vzdump", {"vmid": "8123", "bwlimit": "100"}, "/, Sys.Modify"),
        (f"DELETE /nodes/pve-c1/storage/local/content/{TEMPLATE}", {}, "/storage/local, Datastore.Allocate"),
        ("POST /access/users", {"userid": "x@pve"}, "/access/realm/pve, Realm.AllocateUser"),
        ("PUT /access/acl", {"path": "/", "roles": "PVEAdmin", "users": "proximity@pve"}, "/, Permissions.Modify"),
        ("POST /access/roles", {"roleid": "More"}, "/access, Sys.Modify"),
    ],
)
def test_what_it_lacks(token: Client, call: str, params: dict[str, str], reason: str) -> None:
    create(token)
    found = token(call, **params)
    assert (found.status_code, found.reason) == (403, f"Permission check failed ({reason})")


def test_five_protected_backups_of_a_guest_are_enough_for_it(token: Client, server: lab.Lab) -> None:
    """More need Datastore.Allocate on the storage."""
    create(token)
    job = {"vmid": "8123", "storage": "local", "protected": 1}
    for _ in range(5):
        assert token.done("POST /nodes/pve-c1/vzdump", **job) == "OK"
    assert token.done("POST /nodes/pve-c1/vzdump", **job) == "job errors"
    assert token.done("POST /nodes/pve-c1/vzdump", vmid="8123", storage="local") == "OK"
    (free,) = (each for each in token.data("GET /nodes/pve-c1/storage/local/content", content="backup") if "protected" not in each)
    found = token(f"PUT /nodes/pve-c1/storage/local/content/{free['volid']}", protected=1)
    assert found.reason == "The number of protected backups per guest is limited to 5 on storage 'local'"
