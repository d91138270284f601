"""The containers that run in a guest, each a process: a web page that tells the volume's data, and changes them as an app would.

What an image does is told by its tag: `sick` ends at once, `mute` runs but answers every question with an error.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, NoReturn

from lab.light.engine import Container, Engine, folder

DATA = "data.json"


class Services:
    """Which process is which container's."""

    def __init__(self) -> None:
        self._pids: dict[str, int] = {}
        self._runs: dict[str, Container] = {}

    def keep_up(self, boot: bool = False, restart: bool = False) -> list[str]:
        """Make those run that are to, and no others; `restart`: as when dockerd is restarted."""
        wanted = {name: container for name, container in Engine.load().containers.items() if container.wanted}
        for name in list(self._pids):
            if restart or wanted.get(name) != self._runs[name]:
                self._stop(name)
        for name, container in wanted.items():
            if name not in self._pids:
                self._start(name, container)
        return sorted(self._pids)

    def forget(self, pid: int) -> None:
        """A process has ended by itself."""
        self._pids = {name: each for name, each in self._pids.items() if each != pid}

    def _start(self, name: str, container: Container) -> None:
        ready, told = os.pipe()
        pid = os.fork()
        if not pid:
            os.close(ready)
            _serve(container, told)
        os.close(told)
        with os.fdopen(ready, "rb") as file:
            if file.read(1):
                self._pids[name], self._runs[name] = pid, container
            else:
                os.waitpid(pid, 0)

    def _stop(self, name: str) -> None:
        pid = self._pids.pop(name)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)


def _serve(container: Container, told: int) -> NoReturn:
    """It is ready when the other side of `told` gets something, and has failed when that ends."""
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        page = _begin(container)
        server = HTTPServer(("0.0.0.0", container.ports[0] if container.ports else 0), _handler(container, page))
        os.write(told, b"1")
        os.close(told)
        server.serve_forever()
    except (OSError, ValueError):
        os._exit(1)
    os._exit(0)


def _begin(container: Container) -> dict[str, Any]:
    """What an app does with its data when it starts: makes them, or refuses those that are not for it."""
    tag = container.image.rpartition(":")[2]
    if "sick" in tag:
        raise ValueError("the image is sick")
    page: dict[str, Any] = {"image": container.image, "greeting": container.environment.get("GREETING", "")}
    page["files"] = {path: Path(file).read_text() for path, file in container.binds.items()}
    for volume in container.mounts.values():
        page |= _open(folder(volume) / DATA, tag, container.environment.get("SECRET", ""))
    return page


def _open(file: Path, tag: str, secret: str) -> dict[str, Any]:
    """Data are bound to the secret that they were made with, and once a newer version has had them, no older one can."""
    fresh: dict[str, Any] = {"id": secrets.token_hex(8), "secret": secret, "versions": []}
    data = json.loads(file.read_text()) if file.exists() else fresh
    if data["secret"] != secret:
        raise ValueError("the secret is not that of the data")
    if any(each > tag for each in data["versions"]):
        raise ValueError("the data are of a newer version")
    if tag not in data["versions"]:
        data["versions"].append(tag)
        whole = file.with_suffix(".new")
        whole.write_text(json.dumps(data))
        whole.replace(file)
    return {"id": data["id"], "versions": data["versions"]}


def _handler(container: Container, page: dict[str, Any]) -> type[BaseHTTPRequestHandler]:
    is_mute = "mute" in container.image

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(page).encode()
            self.send_response(500 if is_mute else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: Any) -> None:
            """Nobody reads it."""

    return Page
