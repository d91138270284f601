# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An image registry for tests: the reading half of the OCI distribution API on loopback, with tokens, pages and faults."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

INDEX = "application/vnd.oci.image.index.v1+json"
ANNA = "Basic " + base64.b64encode(b"anna:secret").decode()
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


@dataclass
class SmallRegistry:
    """`images`: repository -> tag -> manifest. What else it holds is how it behaves."""

    images: dict[str, dict[str, bytes]] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    url: str = ""
    page: int = 100
    wants: str = ""
    """'' for nothing, 'token' for a bearer token, 'user' for one that only anna gets, 'basic' for name and password."""
    tells_digest: bool = True
    next_page: str = ""
    faults: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    """Answered first, one to a request: status and headers."""
    raw: dict[str, bytes] = field(default_factory=dict)
    """Path with query, or the path alone -> an answer that is none."""
    asked: list[str] = field(default_factory=list)

    def add(self, repository: str, *tags: str, config: dict[str, Any] | None = None, architectures: tuple[str, ...] = ()) -> None:
        for tag in tags:
            blob = json.dumps({"architecture": "amd64", "config": config or {}, "made_for": tag}).encode()
            self.blobs[digest_of(blob)] = blob
            manifest = json.dumps({"mediaType": MANIFEST, "config": {"digest": digest_of(blob)}}).encode()
            if architectures:
                self.images.setdefault(repository, {})[digest_of(manifest)] = manifest
                platforms = [{"os": "linux", "architecture": name} for name in architectures] + [
                    {"os": "unknown", "architecture": "unknown"}
                ]
                rows = [{"digest": digest_of(manifest), "platform": platform} for platform in platforms]
                manifest = json.dumps({"mediaType": INDEX, "manifests": rows}).encode()
            self.images.setdefault(repository, {})[tag] = manifest

    def digest(self, repository: str, tag: str) -> str:
        return digest_of(self.images[repository][tag])


@contextmanager
def small_registry(registry: SmallRegistry | None = None) -> Iterator[SmallRegistry]:
    """Serve it on a free port for the length of a `with`."""
    registry = registry or SmallRegistry()

    class Handler(_Handler):
        served = registry

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    registry.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    served: SmallRegistry
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_HEAD(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def _serve(self) -> None:
        registry, parts = self.served, urlsplit(self.path)
        registry.asked.append(f"{self.command} {self.path}")
        if registry.faults:
            status, headers = registry.faults.pop(0)
            self._answer(status, b'{"errors": [{"code": "X", "message": "not now"}]}', headers)
        elif self.path in registry.raw or parts.path in registry.raw:
            self._answer(200, registry.raw.get(self.path) or registry.raw[parts.path])
        elif parts.path == "/token":
            self._token(parse_qs(parts.query))
        elif not self._known():
            kind = "Basic" if registry.wants == "basic" else "Bearer"
            self._answer(401, b"{}", {"WWW-Authenticate": f'{kind} realm="{registry.url}/token",service="small",scope="repository:x:pull"'})
        else:
            self._look_up(parts.path, parse_qs(parts.query))

    def _known(self) -> bool:
        given = self.headers.get("Authorization", "")
        wanted = {"token": ("Bearer open", "Bearer annas"), "user": ("Bearer annas",), "basic": (ANNA,)}
        return not self.served.wants or given in wanted[self.served.wants]

    def _token(self, query: dict[str, list[str]]) -> None:
        is_anna = self.headers.get("Authorization", "") == ANNA
        if query.get("service") != ["small"] or not query.get("scope") or (self.served.wants == "user" and not is_anna):
            self._answer(401, b"{}")
            return
        self._answer(200, json.dumps({"token": "annas" if is_anna else "open"}).encode())

    def _look_up(self, path: str, query: dict[str, list[str]]) -> None:
        repository, _slash, what = path.removeprefix("/v2/").rpartition("/")
        if repository.endswith("/tags") and repository.removesuffix("/tags") in self.served.images:
            self._tags(repository.removesuffix("/tags"), query)
        elif repository.endswith("/manifests") and what in self.served.images.get(repository.removesuffix("/manifests"), {}):
            manifest = self.served.images[repository.removesuffix("/manifests")][what]
            headers = {"Docker-Content-Digest": digest_of(manifest)} if self.served.tells_digest else {}
            self._answer(200, manifest, headers)
        elif repository.endswith("/blobs") and what in self.served.blobs:
            self._answer(200, self.served.blobs[what])
        else:
            self._answer(404, b'{"errors": [{"code": "NAME_UNKNOWN", "message": "no such thing"}]}')

    def _tags(self, repository: str, query: dict[str, list[str]]) -> None:
        tags = sorted(tag for tag in self.served.images[repository] if not tag.startswith("sha256:"))
        begin = tags.index(query["last"][0]) + 1 if "last" in query else 0
        page = tags[begin : begin + self.served.page]
        link = self.served.next_page or f"/v2/{repository}/tags/list?last={page[-1]}&n={self.served.page}"
        headers = {"Link": f'<{link}>; rel="next"'} if begin + len(page) < len(tags) else {}
        self._answer(200, json.dumps({"name": repository, "tags": page}).encode(), headers)

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_words: Any) -> None:
        pass
