# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The way to Proxmox's API, over proxmoxer: who we are, how long we try, and when to give up. Knows no endpoint."""

from __future__ import annotations

import threading
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import random
from time import monotonic, sleep
from typing import Any

from .errors import ApiError, OutcomeUnknown, ReadOnlyClient, TaskError, Timeout

MISSING = ""
"""Why proxmoxer or requests could not be imported; empty when they were."""
try:
    import requests
    from proxmoxer import ProxmoxAPI
    from proxmoxer.core import AuthenticationError, ResourceException
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
except ImportError:
    MISSING = traceback.format_exc()

CONNECT_TIMEOUT_S = 10
UNANSWERED = frozenset({502, 503, 504, 596})
"""Answers of something between us and the node: whether the node acted on the call is unknown."""
UNREACHED = 595
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 8.0
FIRST_POLL_S, LONGEST_POLL_S = 0.2, 2.0
LOG_TAIL = 10


@dataclass(frozen=True)
class Connection:
    """Where Proxmox is and who we are there: a token, or a user with a password."""

    host: str
    port: int
    user: str
    token_id: str = ""
    token_secret: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    validate_certs: bool = True
    ca_path: str = ""
    timeout_s: float = 30
    retry_s: float = 30

    @property
    def address(self) -> str:
        return f"https://{self.host}:{self.port}"

    @property
    def who(self) -> str:
        return f"token {self.user}!{self.token_id}" if self.token_id else f"user {self.user}"


@dataclass(frozen=True)
class Clock:
    """Time and chance, so that tests can bring their own."""

    now: Callable[[], float] = monotonic
    sleep: Callable[[float], None] = sleep
    random: Callable[[], float] = random


class _Transient(Exception):
    """A call that certainly had no effect, or whose effect does not matter, and that may go well the next time."""

    def __init__(self, error: ApiError) -> None:
        super().__init__(str(error))
        self.error = error


class Client:
    """Calls by path, such as `get("/nodes")`. Threads may share it: each has a session of its own.

    `calls` counts what was sent: reads, writes, and polls (reads repeated while waiting).
    """

    def __init__(self, connection: Connection, read_only: bool = False, clock: Clock | None = None) -> None:
        self.connection = connection
        self.clock = clock or Clock()
        self.calls: Counter[str] = Counter(reads=0, writes=0, polls=0)
        self._read_only = read_only
        self._understood = False
        self._local = threading.local()
        self._lock = threading.Lock()

    def get(self, path: str, /, poll: bool = False, **params: Any) -> Any:
        return self._persist("GET", path, params, "polls" if poll else "reads")

    def post(self, path: str, /, **params: Any) -> Any:
        return self._write("POST", path, params)

    def put(self, path: str, /, **params: Any) -> Any:
        return self._write("PUT", path, params)

    def delete(self, path: str, /, **params: Any) -> Any:
        return self._write("DELETE", path, params)

    def wait(self, upid: str, timeout_s: float = 600) -> list[str]:
        """Return when the task has ended: its warnings. Raises TaskError when it failed, Timeout when it still runs."""
        path = f"/nodes/{upid.split(':')[1]}/tasks/{upid}"
        for _poll in self.pauses(timeout_s):
            task = self.get(f"{path}/status", poll=True)
            if task["status"] == "stopped":
                return self._task_result(path, upid, task["exitstatus"])
        raise Timeout(f"Task {upid} still runs after {timeout_s:.0f} s. It goes on; look at it in Proxmox and run again.")

    def pauses(self, timeout_s: float) -> Any:
        """Yield at once, then after growing pauses, until the time is over; yields once more at its very end."""
        deadline, pause = self.clock.now() + timeout_s, FIRST_POLL_S
        while True:
            yield
            left = deadline - self.clock.now()
            if left <= 0:
                return
            self.clock.sleep(min(pause, left))
            pause = min(LONGEST_POLL_S, pause * 1.5)

    def _task_result(self, path: str, upid: str, exitstatus: str) -> list[str]:
        if exitstatus == "OK":
            return []
        lines = [str(line["t"]) for line in self.get(f"{path}/log", poll=True, limit=0)]
        if exitstatus.startswith("WARNINGS"):
            return [line for line in lines if line.startswith("WARN")] or [exitstatus]
        raise TaskError(upid, exitstatus, lines[-LOG_TAIL:])

    def _write(self, method: str, path: str, params: dict[str, Any]) -> Any:
        if self._read_only:
            raise ReadOnlyClient(f"{method} {path} was about to be sent in check mode: this is a bug of proximity.platform.")
        return self._persist(method, path, params, "writes")

    def _persist(self, method: str, path: str, params: dict[str, Any], kind: str) -> Any:
        """Send until it goes well, with exponential backoff and full jitter, within the wall-clock limit."""
        deadline = self.clock.now() + self.connection.retry_s
        longest = FIRST_PAUSE_S
        while True:
            with self._lock:
                self.calls[kind] += 1
            try:
                return self._send(method, path, params)
            except _Transient as failure:
                pause = self.clock.random() * longest
                if self.clock.now() + pause >= deadline:
                    raise failure.error from failure
            self.clock.sleep(pause)
            longest = min(LONGEST_PAUSE_S, longest * 2)

    def _send(self, method: str, path: str, params: dict[str, Any]) -> Any:
        resource = self._session()(path.strip("/"))
        try:
            data = getattr(resource, method.lower())(**params)
        except ResourceException as error:
            raise _refusal(error, method, path, self.connection) from error
        except requests.RequestException as error:
            raise _failure(error, method, path, self.connection) from error
        except (KeyError, TypeError, AttributeError) as error:
            raise self._garbled(method, path) from error
        if isinstance(data, dict) and isinstance(data.get("errors"), bytes):
            raise self._garbled(method, path)
        self._understood = True
        return data

    def _garbled(self, method: str, path: str) -> Exception:
        """What nonsense means: who has made sense before was cut short, and a write may have had its effect."""
        if not self._understood:
            return self._foreign(method, path)
        cut = f"{self.connection.address} gave an answer that was cut short"
        return _Transient(ApiError(cut, 0, method, path)) if method == "GET" else OutcomeUnknown(cut, 0, method, path)

    def _foreign(self, method: str, path: str) -> ApiError:
        return ApiError(f"{self.connection.address} does not answer as Proxmox VE does. Check api_host and api_port", 0, method, path)

    def _session(self) -> Any:
        """This thread's session; with a password, making it means to log in."""
        if not hasattr(self._local, "session"):
            about, login = self.connection, "/access/ticket"
            secret = {"token_name": about.token_id, "token_value": about.token_secret} if about.token_id else {"password": about.password}
            verify = (about.ca_path or True) if about.validate_certs else False
            timeout = (CONNECT_TIMEOUT_S, about.timeout_s)
            try:
                self._local.session = ProxmoxAPI(about.host, port=about.port, user=about.user, verify_ssl=verify, timeout=timeout, **secret)
            except AuthenticationError as error:
                raise ApiError(f"{about.address} refuses {about.who}. Check api_user and api_password", 401, "POST", login) from error
            except requests.RequestException as error:
                raise _failure(error, "GET", login, about) from error  # logging in twice does no harm
            except (KeyError, TypeError) as error:
                raise self._foreign("POST", login) from error
        return self._local.session


def _refusal(error: ResourceException, method: str, path: str, connection: Connection) -> Exception:
    """What an answer with an error status means."""
    status, reason = error.status_code, str(error.content or "").strip() or str(error.status_message)
    fields = {key: str(text) for key, text in error.errors.items() if not isinstance(text, bytes)} if isinstance(error.errors, dict) else {}
    if status == 401:
        reason = f"{connection.address} refuses {connection.who}: {reason} Check api_user, api_token_id and api_token_secret"
    refused = ApiError(reason, status, method, path, fields)
    no_effect = status == UNREACHED or (status == 500 and reason.endswith("got timeout"))
    if no_effect or (status in UNANSWERED and method == "GET"):
        return _Transient(refused)
    return OutcomeUnknown(reason, status, method, path, fields) if status in UNANSWERED else refused


def _failure(error: requests.RequestException, method: str, path: str, connection: Connection) -> Exception:
    """What a missing answer means."""
    why = _root_cause(error)
    if isinstance(error, requests.exceptions.SSLError):
        hint = "Give the authority's certificate as ca_path (on a node: /etc/pve/pve-root-ca.pem), or set validate_certs: false"
        return ApiError(f"the certificate of {connection.address} is not trusted: {why}. {hint}", 0, method, path)
    unreached = isinstance(getattr(error.args[0] if error.args else None, "reason", None), (NewConnectionError, ConnectTimeoutError))
    if unreached:
        return _Transient(ApiError(f"cannot reach {connection.address}: {why}. Check api_host and api_port", 0, method, path))
    lost = f"the answer of {connection.address} was lost: {why}"
    return _Transient(ApiError(lost, 0, method, path)) if method == "GET" else OutcomeUnknown(lost, 0, method, path)


def _root_cause(error: BaseException) -> str:
    """The words of the operating system where there are any; the rest of the chain is names of Python objects."""
    link: Any = error
    for _depth in range(10):
        inner = getattr(link, "reason", None) or link.__cause__ or link.__context__ or (link.args[0] if link.args else None)
        if not isinstance(inner, BaseException):
            break
        link = inner
    return str(getattr(link, "strerror", None) or getattr(link, "verify_message", None) or link).strip()
