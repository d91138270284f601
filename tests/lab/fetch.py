"""Files from a URL, as a node gets them with wget."""

from __future__ import annotations

import re
import shlex
import ssl
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

TIMEOUT_S = 30.0
CHUNK = 1024**2
NETWORK, TLS, SERVER = 4, 5, 8
"""How wget ends."""


class FetchFailure(Exception):
    """wget has failed; `code` is its exit status."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exit code {code}")
        self.code = code


def _opener(verify: bool) -> urllib.request.OpenerDirector:
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))


def fetch(url: str, target: Path, *, verify: bool = True, go_on: Callable[[], bool] = lambda: True) -> int:
    """Write what is there to a file; the answer is its size. Between two pieces `go_on` is asked."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with _opener(verify).open(url, timeout=TIMEOUT_S) as reply, target.open("wb") as file:
            while go_on() and (piece := reply.read(CHUNK)):
                file.write(piece)
    except HTTPError as error:
        error.close()
        raise FetchFailure(SERVER) from error
    except (OSError, HTTPException) as error:
        is_tls = isinstance(getattr(error, "reason", error), ssl.SSLError)
        raise FetchFailure(TLS if is_tls else NETWORK) from error
    return target.stat().st_size


def wget_command(url: str, target: str, *, verify: bool = True) -> str:
    words = ["wget", "--progress=dot:giga", "-O", target, url] + ([] if verify else ["--no-check-certificate"])
    return " ".join(map(shlex.quote, words))


def metadata(url: str, *, verify: bool = True) -> dict[str, Any] | str:
    """`filename`, `size` and `mimetype` of what is there; or the status that the server's answer had."""
    request = urllib.request.Request(url, method="HEAD")
    try:
        with _opener(verify).open(request, timeout=TIMEOUT_S) as reply:
            heads = reply.headers
    except HTTPError as error:
        error.close()
        return f"{error.code} {error.reason}"
    except (OSError, HTTPException) as error:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        cause = error.reason if isinstance(error, URLError) else error
        return f"500 Can't connect to {parts.hostname}:{port} ({getattr(cause, 'strerror', None) or cause})"
    named = re.search(r'filename="([^"]*)"|filename=([^;]*)', heads.get("Content-Disposition", ""))
    last = re.fullmatch(r"[^?]+/([^?/]*)(?:\?.*)?", url)
    name = (named[1] or named[2]) if named else last[1] if last else ""
    size = int(heads.get("Content-Length") or 0)
    found: dict[str, Any] = {"filename": name, "size": size, "mimetype": heads.get("Content-Type", "").partition(";")[0]}
    return {key: value for key, value in found.items() if value}
