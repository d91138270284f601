"""The client, against a server that answers what a test tells it to."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.proximity.platform.plugins.module_utils.api import Client, Clock, Connection
from ansible_collections.proximity.platform.plugins.module_utils.errors import (
    ApiError,
    OutcomeUnknown,
    ReadOnlyClient,
    TaskError,
    Timeout,
)
from lab.web.tls import ensure_certificates

SECRET = "c0ffee00-1111-2222-3333-444455556666"
UPID = "UPID:pve1:000003E9:018B8204:6B00BE9A:vzcreate:8100:proximity@pve!demo:"
OK: tuple[int, str, Any] = (200, "OK", {"data": 1})


class Server(ThreadingHTTPServer):
    """Answers in turn with what `answers` holds, the last one again and again; `requests` keeps what came."""

    daemon_threads = True
    answers: list[Any]
    requests: list[tuple[str, str, str, str]]
    ca_path: Path

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections that a test broke are no news."""


class Conversation(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads it."""

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self.server.requests.append((self.command, self.path, body, self.headers.get("Authorization", "")))
        answers = self.server.answers
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if answer == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
            return
        if answer == "silence":
            threading.Event().wait(1)
            answer = OK
        status, reason, data = answer
        content = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.send_response(status, reason)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - the names that http.server wants


@dataclass
class Watch:
    """A clock that passes only while somebody sleeps."""

    time: float = 0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        self.slept.append(seconds)

    def clock(self) -> Clock:
        return Clock(lambda: self.time, self.sleep, lambda: 1.0)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return ensure_certificates(tmp_path_factory.mktemp("tls"), ["127.0.0.1"])


@pytest.fixture
def server(certificates: tuple[Path, Path]) -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Conversation)
    server.ca_path, chain = certificates
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.answers, server.requests = [OK], []
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def connection(server: Server) -> Connection:
    port = server.server_address[1]
    return Connection("127.0.0.1", port, "proximity@pve", "demo", SECRET, ca_path=str(server.ca_path), timeout_s=0.5, retry_s=30)


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def client(connection: Connection, watch: Watch) -> Client:
    return Client(connection, clock=watch.clock())


def test_token_and_form_are_sent(server: Server, client: Client) -> None:
    assert client.post("/nodes/pve1/lxc", vmid=8100, **{"ssh-public-keys": "a b"}) == 1
    method, path, body, authorization = server.requests[0]
    assert (method, path, body) == ("POST", "/api2/json/nodes/pve1/lxc", "vmid=8100&ssh-public-keys=a+b")
    assert authorization == f"PVEAPIToken=proximity@pve!demo={SECRET}"


def test_delete_has_its_parameters_in_the_query(server: Server, client: Client) -> None:
    client.delete("/nodes/pve1/lxc/8100", purge=1)
    assert server.requests[0][:3] == ("DELETE", "/api2/json/nodes/pve1/lxc/8100?purge=1", "")


def test_refusal_tells_what_proxmox_says(server: Server, client: Client) -> None:
    server.answers = [(500, "storage 'nope' does not exist", {"message": "storage 'nope' does not exist\n", "data": None})]
    with pytest.raises(ApiError) as refusal:
        client.post("/nodes/pve1/lxc")
    error = refusal.value
    assert (error.status, error.reason, error.fields) == (500, "storage 'nope' does not exist", {})
    assert str(error) == "POST /nodes/pve1/lxc failed: 500 storage 'nope' does not exist"
    assert len(server.requests) == 1, "a permanent refusal is not repeated"


def test_refused_parameters_are_named(server: Server, client: Client) -> None:
    server.answers = [(400, "Parameter verification failed.", {"errors": {"vmid": "type check failed\n", "cores": "no"}, "data": None})]
    with pytest.raises(ApiError, match=r"\(cores: no; vmid: type check failed\)"):
        client.post("/nodes/pve1/lxc")


@pytest.mark.parametrize("status", [502, 503, 504, 595, 596])
def test_passing_failure_of_a_read_is_repeated(server: Server, client: Client, watch: Watch, status: int) -> None:
    server.answers = [(status, "busy", {"data": None}), (status, "busy", {"data": None}), OK]
    assert client.get("/version") == 1
    assert watch.slept == [0.5, 1.0], "exponential"
    assert client.calls == {"reads": 3, "writes": 0, "polls": 0}


def test_pauses_are_drawn_at_random(server: Server, connection: Connection, watch: Watch) -> None:
    drawn = iter([0.25, 0.5, 0.75])
    server.answers = [(503, "busy", {"data": None})] * 3 + [OK]
    assert Client(connection, clock=Clock(watch.clock().now, watch.sleep, lambda: next(drawn))).get("/version") == 1
    assert watch.slept == [0.125, 0.5, 1.5], "so that many who failed at once do not come back at once"


def test_repeating_ends_with_its_time(server: Server, client: Client, watch: Watch) -> None:
    server.answers = [(503, "busy", {"data": None})]
    with pytest.raises(ApiError, match="503 busy"):
        client.get("/version")
    assert watch.time < 30
    assert max(watch.slept) == 8


@pytest.mark.parametrize("status", [502, 503, 504, 596])
def test_write_without_an_answer_of_the_node_is_not_repeated(server: Server, client: Client, status: int) -> None:
    server.answers = [(status, "busy", {"data": None})]
    with pytest.raises(OutcomeUnknown):
        client.post("/nodes/pve1/lxc")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "reason"), [(595, "No route to host"), (500, "can't lock file '/run/lock/lxc/pve-config-8100.lock' - got timeout")]
)
def test_write_that_certainly_had_no_effect_is_repeated(server: Server, client: Client, status: int, reason: str) -> None:
    server.answers = [(status, reason, {"data": None}), OK]
    assert client.put("/nodes/pve1/lxc/8100/config") == 1


@pytest.mark.parametrize("trouble", ["reset", "silence"])
def test_lost_answer(server: Server, client: Client, trouble: str) -> None:
    server.answers = [trouble, OK]
    assert client.get("/version") == 1, "a read is repeated"
    server.answers = [trouble, OK]
    with pytest.raises(OutcomeUnknown, match=r"the answer of https://127\.0\.0\.1:[0-9]+ was lost"):
        client.post("/nodes/pve1/lxc")


def test_unreachable_address_is_one_sentence(connection: Connection, watch: Watch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        client = Client(replace(connection, port=free.getsockname()[1]), clock=watch.clock())
        with pytest.raises(ApiError) as failure:
            client.post("/nodes/pve1/lxc")
    assert not isinstance(failure.value, OutcomeUnknown)
    assert "cannot reach https://127.0.0.1:" in str(failure.value)
    assert str(failure.value).endswith("Connection refused. Check api_host and api_port")
    assert watch.slept, "nothing was sent, so that even a write is tried again"


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_certificate_of_an_unknown_authority_is_refused(connection: Connection, watch: Watch) -> None:
    with pytest.raises(ApiError, match=r"the certificate of https://.* is not trusted: .*Give the authority's certificate as ca_path"):
        Client(replace(connection, ca_path=""), clock=watch.clock()).get("/version")
    assert watch.slept == []
    assert Client(replace(connection, ca_path="", validate_certs=False)).get("/version") == 1


def test_wrong_token_is_one_sentence_without_the_secret(server: Server, client: Client) -> None:
    server.answers = [(401, "Authentication failed!", b"")]
    with pytest.raises(ApiError) as refusal:
        client.get("/version")
    assert "refuses token proximity@pve!demo: Authentication failed! Check api_user" in str(refusal.value)
    assert SECRET not in str(refusal.value) + repr(refusal.value) + repr(client.connection)
    assert len(server.requests) == 1


@pytest.mark.parametrize("answer", [(200, "OK", b"<html>hello</html>"), (200, "OK", b"[]"), (200, "OK", {"no": "data"})])
def test_answer_of_something_else_is_told(server: Server, client: Client, answer: Any) -> None:
    server.answers = [answer]
    with pytest.raises(ApiError, match="does not answer as Proxmox VE does"):
        client.get("/version")


def test_answer_that_was_cut_short_is_asked_for_again(server: Server, client: Client, watch: Watch) -> None:
    server.answers = [OK, (200, "OK", b'{"data":'), OK]
    assert (client.get("/version"), client.get("/version")) == (1, 1)
    assert watch.slept == [0.5]


def test_write_whose_answer_was_cut_short_may_have_happened(server: Server, client: Client) -> None:
    server.answers = [OK, (200, "OK", b'{"data":')]
    client.get("/version")
    with pytest.raises(OutcomeUnknown, match="gave an answer that was cut short"):
        client.post("/nodes/pve1/lxc", vmid=8100)
    assert len(server.requests) == 2


def test_read_only_client_never_writes(server: Server, connection: Connection) -> None:
    client = Client(connection, read_only=True)
    assert client.get("/version") == 1
    for write in (client.post, client.put, client.delete):
        with pytest.raises(ReadOnlyClient):
            write("/nodes/pve1/lxc")
    assert len(server.requests) == 1


def test_password_logs_in_once(server: Server, connection: Connection) -> None:
    ticket = (200, "OK", {"data": {"ticket": "PVE:root@pam:1", "CSRFPreventionToken": "2"}})
    server.answers = [ticket, OK]
    client = Client(replace(connection, token_id="", password="hush-hush"))
    assert (client.get("/version"), client.get("/version")) == (1, 1)
    assert [request[1] for request in server.requests] == ["/api2/json/access/ticket", "/api2/json/version", "/api2/json/version"]


def test_wrong_password_is_one_sentence_without_it(server: Server, connection: Connection) -> None:
    server.answers = [(401, "authentication failure", b"")]
    client = Client(replace(connection, token_id="", password="hush-hush"))
    with pytest.raises(ApiError) as refusal:
        client.get("/version")
    assert "refuses user proximity@pve. Check api_user and api_password" in str(refusal.value)
    assert "hush-hush" not in str(refusal.value) + repr(client.connection)


def test_threads_have_sessions_of_their_own(client: Client) -> None:
    barrier = threading.Barrier(4)

    def session(_number: int) -> int:
        barrier.wait()
        client.get("/version")
        return id(client._session())

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(session, range(4)))) == 4
    assert client.calls["reads"] == 4


def _task(**status: Any) -> tuple[int, str, Any]:
    return (200, "OK", {"data": status})


def test_task_is_waited_for_until_it_ends(server: Server, client: Client, watch: Watch) -> None:
    server.answers = [_task(status="running"), _task(status="running"), _task(status="stopped", exitstatus="OK")]
    assert client.wait(UPID) == []
    assert watch.slept == pytest.approx([0.2, 0.3])
    assert client.calls == {"reads": 0, "writes": 0, "polls": 3}
    assert server.requests[0][1] == f"/api2/json/nodes/pve1/tasks/{UPID}/status"


def test_failed_task_tells_its_status_and_the_end_of_its_log(server: Server, client: Client) -> None:
    log = [{"n": number, "t": f"line {number}"} for number in range(30)]
    server.answers = [_task(status="stopped", exitstatus="unable to create CT 8100 - no space"), (200, "OK", {"data": log})]
    with pytest.raises(TaskError) as failure:
        client.wait(UPID)
    assert failure.value.exitstatus == "unable to create CT 8100 - no space"
    assert failure.value.log[-1] == "line 29"
    assert len(failure.value.log) == 10


def test_task_with_warnings_is_a_success(server: Server, client: Client) -> None:
    log = [{"n": 1, "t": "unpacking"}, {"n": 2, "t": "WARN: Systemd 257 detected."}, {"n": 3, "t": "TASK WARNINGS: 1"}]
    server.answers = [_task(status="stopped", exitstatus="WARNINGS: 1"), (200, "OK", {"data": log})]
    assert client.wait(UPID) == ["WARN: Systemd 257 detected."]


def test_task_that_goes_on_is_a_timeout(server: Server, client: Client, watch: Watch) -> None:
    server.answers = [_task(status="running")]
    with pytest.raises(Timeout, match="still runs after 20 s"):
        client.wait(UPID, 20)
    assert watch.time == pytest.approx(20)
