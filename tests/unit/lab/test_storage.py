"""What lies on storages: single volumes, uploads, downloads, appliance templates, figures over time."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import lab
import pytest
import requests
from lab.client import Client

STORE = "/nodes/pve/storage/local"
TEMPLATE = "local:vztmpl/debian-13-minimal_13.0-1_amd64.tar.zst"
APPLIANCE = "debian-12-standard_12.12-1_amd64.tar.zst"


def upload(client: Client, name: str, data: bytes, **fields: str) -> requests.Response:
    form = {"content": "vztmpl", **fields}
    headers = {"Authorization": f"PVEAPIToken={client.token}"}
    return client.http.post(f"{client.base}{STORE}/upload", data=form, files={"filename": (name, data)}, headers=headers, timeout=30)


def system(release: str = "ID=alpine\n") -> bytes:
    """A template archive of a system that says what it is."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        info = tarfile.TarInfo("./etc/os-release")
        info.size = len(release)
        archive.addfile(info, io.BytesIO(release.encode()))
    return packed.getvalue()


def volume(client: Client, name: str) -> dict[str, Any]:
    return next(each for each in client.data(f"GET {STORE}/content") if each["volid"] == f"local:{name}")


def test_an_uploaded_system_makes_containers(client: Client) -> None:
    assert client.wait(upload(client, "my sys.tar.gz", system()).json()["data"]) == "OK"
    options = {"ostemplate": "local:vztmpl/my_sys.tar.gz", "rootfs": "ctdata:1"}
    assert client.done("POST /nodes/pve/lxc", vmid=103, **options) == "OK"
    assert client.data("GET /nodes/pve/lxc/103/config")["ostype"] == "alpine"


def test_an_image_is_uploaded_where_images_go(client: Client) -> None:
    assert client.wait(upload(client, "a.iso", b"iso", content="iso").json()["data"]) == "OK"
    assert volume(client, "iso/a.iso")["format"] == "iso"
    assert upload(client, "a.img.txt", b"iso", content="iso").json()["errors"] == {"filename": "wrong file extension"}
    assert client.data(f"GET {STORE}/content/local:iso/a.iso")["path"] == "/var/lib/vz/template/iso/a.iso"


def test_an_upload_without_a_file_is_refused(client: Client) -> None:
    assert client(f"POST {STORE}/upload", content="vztmpl", filename="x.tar").reason == "missing temporary file name"


def test_a_volume_s_file_goes_with_it(server: lab.Lab, client: Client) -> None:
    assert client.wait(upload(client, "x.tar.gz", b"x").json()["data"]) == "OK"
    (file,) = (server.cluster.folder / "local" / "pve").rglob("x.tar.gz")
    assert client.data(f"DELETE {STORE}/content/local:vztmpl/x.tar.gz", delay=5) is None
    assert not file.exists()


@pytest.mark.parametrize(
    ("name", "reason", "errors"),
    [
        ("other:vztmpl/x.tar", "Parameter verification failed.", {"volume": "storage ID mismatch (other != local)\n"}),
        ("!:x", "Parameter verification failed.", {"volume": "unable to parse volume ID '!:x'\n"}),
        ("vztmpl/nope.tar", "volume_size_info on 'local:vztmpl/nope.tar' failed - no format", None),
        ("nope", "unable to parse directory volume name 'nope'", None),
    ],
)
def test_names_that_are_none(client: Client, name: str, reason: str, errors: dict[str, str] | None) -> None:
    found = client(f"GET {STORE}/content/{name}")
    assert (found.reason, found.json().get("errors")) == (reason, errors)


def test_only_backups_have_notes_and_protection(client: Client) -> None:
    assert client(f"PUT {STORE}/content/{TEMPLATE}", notes="x").reason == "only backups can have notes"
    assert client(f"PUT {STORE}/content/{TEMPLATE}", protected=1).reason == "only backups support attribute 'protected'"


def test_disks_are_read_as_what_they_are(client: Client) -> None:
    found = client.data("GET /nodes/pve/storage/ctdata/content/ctdata:102/vm-102-disk-0.raw")
    assert (found["format"], found["size"], found["path"]) == ("raw", 2 * 1024**3, "/srv/ctdata/images/102/vm-102-disk-0.raw")
    assert "notes" not in found


def test_a_prune_that_has_no_rules(server: lab.Lab, client: Client) -> None:
    del server.cluster.storages["local"].options["prune-backups"]
    assert client(f"GET {STORE}/prunebackups").reason == "no prune-backups options configured for storage 'local'"
    assert client("GET /nodes/pve/storage/ctdata/prunebackups").reason == "storage 'ctdata' does not support backups"
    assert client.data(f"GET {STORE}/prunebackups", type="qemu", **{"prune-backups": "keep-last=1"}) == []


def test_pruning_removes_what_the_rules_do_not_keep(client: Client) -> None:
    for vmid in (101, 102, 102, 102):
        assert client.done("POST /nodes/pve/vzdump", vmid=str(vmid), storage="local") == "OK"
    upid = client.data(f"DELETE {STORE}/prunebackups", vmid=102, **{"prune-backups": "keep-last=1"})
    assert upid.split(":")[5:7] == ["prunebackups", "102@local"]
    assert client.wait(upid) == "OK"
    assert sorted(each["vmid"] for each in client.data(f"GET {STORE}/content", content="backup")) == [101, 102]


# From a URL.


@pytest.fixture
def site() -> Iterator[str]:
    """A web server with one file on it."""

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path.partition("?")[0] == "/sys.tar.gz"
            body = system() if found else b""
            self.send_response(200 if found else 404)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", "application/gzip; charset=binary")
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else body)

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as web:
        thread = threading.Thread(target=web.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{web.server_address[1]}"
        web.shutdown()
        thread.join()


def download(client: Client, url: str, **options: str) -> str:
    return client.done(f"POST {STORE}/download-url", **{"content": "vztmpl", "filename": "sys.tar.gz", "url": url, **options})


def test_a_system_from_a_url_makes_containers(client: Client, site: str) -> None:
    summed = {"checksum-algorithm": "sha256", "checksum": hashlib.sha256(system()).hexdigest()}
    assert download(client, f"{site}/sys.tar.gz", **summed) == "OK"
    assert volume(client, "vztmpl/sys.tar.gz")["size"] == len(system())
    assert download(client, f"{site}/sys.tar.gz", **summed) == "OK"
    again = download(client, f"{site}/sys.tar.gz")
    assert again == "refusing to override existing file '/var/lib/vz/template/cache/sys.tar.gz'"
    assert client.done("POST /nodes/pve/lxc", vmid=103, ostemplate="local:vztmpl/sys.tar.gz", rootfs="ctdata:1") == "OK"


def test_downloads_that_fail_leave_nothing(server: lab.Lab, client: Client, site: str) -> None:
    assert download(client, f"{site}/no").endswith("failed: exit code 8")
    wrong = download(client, f"{site}/sys.tar.gz", **{"checksum-algorithm": "md5", "checksum": "0" * 32})
    assert wrong.startswith("checksum mismatch: got '")
    assert download(client, f"{site}/sys.tar.gz", compression="gz") == "decompression not supported for vztmpl"
    assert [path for path in server.cluster.folder.rglob("*") if path.is_file()] == []
    assert client(f"POST {STORE}/download-url", content="import", filename="x.ova", url=site).reason == (
        "storage 'local' is not configured for content-type 'import'"
    )


def test_what_a_url_would_give(client: Client, site: str) -> None:
    found = client.data("GET /nodes/pve/query-url-metadata", url=f"{site}/sys.tar.gz?x=1")
    assert found == {"filename": "sys.tar.gz", "size": len(system()), "mimetype": "application/gzip"}
    assert client("GET /nodes/pve/query-url-metadata", url=f"{site}/no").reason == "invalid server response: '404 Not Found'"
    nobody = client("GET /nodes/pve/query-url-metadata", url="http://127.0.0.1:9/x").reason
    assert nobody == "invalid server response: '500 Can't connect to 127.0.0.1:9 (Connection refused)'"


# Appliances.


def test_an_appliance_makes_containers(client: Client) -> None:
    (listed,) = (each for each in client.data("GET /nodes/pve/aplinfo") if each["template"] == APPLIANCE)
    assert (listed["os"], listed["section"], listed["type"]) == ("debian-12", "system", "lxc")
    assert not {"size", "systemd", "unpacked"} & listed.keys()
    upid = client.data("POST /nodes/pve/aplinfo", storage="local", template=APPLIANCE)
    assert upid.split(":")[5:7] == ["download", APPLIANCE]
    assert client.wait(upid) == "OK"
    assert volume(client, f"vztmpl/{APPLIANCE}")["format"] == "tzst"
    assert client.done("POST /nodes/pve/lxc", vmid=103, ostemplate=f"local:vztmpl/{APPLIANCE}", rootfs="ctdata:1") == "OK"
    assert client.done("POST /nodes/pve/aplinfo", storage="local", template=APPLIANCE) == "OK"


def test_an_appliance_goes_where_templates_go(client: Client) -> None:
    assert client("POST /nodes/pve/aplinfo", storage="ctdata", template=APPLIANCE).reason == "storage 'ctdata' does not support templates"
    assert client("POST /nodes/pve/aplinfo", storage="nope", template=APPLIANCE).reason == "storage 'nope' does not exist"


# Figures.


def test_figures_over_time(client: Client) -> None:
    points = client.data("GET /nodes/pve/lxc/100/rrddata", timeframe="hour")
    assert len({point["mem"] for point in points}) > 10
    assert {point["maxmem"] for point in points} == {512 * 1024**2}
    assert all(point["used"] < point["total"] for point in client.data(f"GET {STORE}/rrddata", timeframe="day"))


# Backup jobs.


def test_backup_jobs_can_be_read(server: lab.Lab, client: Client) -> None:
    assert client.data("GET /cluster/backup") == []
    assert {each["vmid"] for each in client.data("GET /cluster/backup-info/not-backed-up")} == {100, 101, 102}
    server.cluster.backup_jobs["nightly"] = {"schedule": "02:00", "vmid": "100,101", "storage": "local", "mode": "snapshot"}
    (job,) = client.data("GET /cluster/backup")
    assert (job["id"], job["enabled"], job["schedule"]) == ("nightly", 1, "02:00")
    assert client.data("GET /cluster/backup/nightly") == job
    assert client("GET /cluster/backup/nope").json()["errors"] == {"id": "No such job 'nope'"}
    assert [each["vmid"] for each in client.data("GET /cluster/backup-info/not-backed-up")] == [102]
    volumes = client.data("GET /cluster/backup/nightly/included_volumes")["children"]
    assert [(each["id"], each["children"][0]["reason"]) for each in volumes] == [(100, "rootfs"), (101, "rootfs")]
