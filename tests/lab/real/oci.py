"""Push images to the lab's registry: layers are tar files, a manifest names them (OCI image spec 1.0, distribution API v2)."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lab.guests.runtime import RuntimeFailure
from lab.real.builder import architecture
from lab.real.layout import REGISTRY_ADDRESS

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
CREATED = "2026-01-01T00:00:00Z"
"""Fixed: the same content has the same digest."""
TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Layer:
    """A gzipped tar and the digest of what is inside."""

    packed: bytes
    diff_id: str

    @classmethod
    def of(cls, tar: bytes) -> Layer:
        return cls(gzip.compress(tar, 6, mtime=0), digest(tar))

    @classmethod
    def read(cls, directory: Path) -> Layer:
        return cls((directory / "layer.tar.gz").read_bytes(), (directory / "diff_id").read_text().strip())

    def write(self, directory: Path) -> None:
        directory.mkdir()
        (directory / "layer.tar.gz").write_bytes(self.packed)
        (directory / "diff_id").write_text(self.diff_id + "\n")


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def image_config(layers: Sequence[Layer], config: Mapping[str, Any]) -> bytes:
    """`config` is the `config` object of the spec: Env, Entrypoint, Cmd, ExposedPorts, Healthcheck, Volumes, ..."""
    whole = {
        "architecture": architecture(),
        "os": "linux",
        "created": CREATED,
        "config": dict(config),
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
    }
    return json.dumps(whole, sort_keys=True).encode()


def manifest(layers: Sequence[Layer], config: bytes) -> bytes:
    parts = [{"mediaType": LAYER, "size": len(layer.packed), "digest": digest(layer.packed)} for layer in layers]
    whole = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "size": len(config), "digest": digest(config)},
        "layers": parts,
    }
    return json.dumps(whole, sort_keys=True).encode()


def push(repo: str, tag: str, layers: Sequence[Layer], config: Mapping[str, Any]) -> str:
    """Have the registry hold this image as repo:tag (a plain name without `/` needs `library/` before it); returns its digest."""
    packed_config = image_config(layers, config)
    wanted = manifest(layers, packed_config)
    if pushed_digest(repo, tag) == digest(wanted):
        return digest(wanted)
    for blob in (*(layer.packed for layer in layers), packed_config):
        _push_blob(repo, blob)
    _request("PUT", f"/v2/{repo}/manifests/{tag}", wanted, {"Content-Type": MANIFEST}, (201,))
    return digest(wanted)


def pushed_digest(repo: str, tag: str) -> str | None:
    """The digest that the registry has for repo:tag."""
    status, headers = _request("HEAD", f"/v2/{repo}/manifests/{tag}", None, {"Accept": MANIFEST}, (200, 404))
    return headers.get("Docker-Content-Digest") if status == 200 else None


def _push_blob(repo: str, blob: bytes) -> None:
    status, _ = _request("HEAD", f"/v2/{repo}/blobs/{digest(blob)}", None, {}, (200, 404))
    if status == 200:
        return
    _, headers = _request("POST", f"/v2/{repo}/blobs/uploads/", b"", {}, (202,))
    place = urlsplit(headers["Location"])
    _request("PUT", f"{place.path}?{place.query}&digest={digest(blob)}", blob, {"Content-Type": "application/octet-stream"}, (201,))


def _request(method: str, path: str, body: bytes | None, headers: Mapping[str, str], ok: tuple[int, ...]) -> tuple[int, Mapping[str, str]]:
    connection = http.client.HTTPConnection(REGISTRY_ADDRESS, 80, timeout=TIMEOUT_S)
    try:
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        said = answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        raise RuntimeFailure(f"the lab's registry does not answer ({error}); bring the lab up first") from error
    finally:
        connection.close()
    if answer.status not in ok:
        raise RuntimeFailure(f"the lab's registry refused {method} {path} with {answer.status}: {said[:200]}")
    return answer.status, dict(answer.getheaders())
