"""Reports of failures: to a real web server in all its moods, and to Sentry through a stub or the real package."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.proximity.platform.plugins.plugin_utils.logs import reports
from ansible_collections.proximity.platform.plugins.plugin_utils.logs.reports import NotSent, Sentry, Webhook
from integration.receiver import PATH, Receiver

TOKEN = "hook-token-1"
RUN = {"source": "proximity.platform", "run": "abc", "playbook": "deploy.yml"}
FAILURE = {"app": "feeds", "cluster": "home", "step": "docker", "error": "It broke.", "errors": [], "log": []}


@pytest.fixture
def server() -> Iterator[Receiver]:
    server = Receiver()
    yield server
    server.close()


def fails(webhook: Webhook, why: str) -> None:
    with pytest.raises(NotSent, match=why) as told:
        webhook.send(RUN)
    for secret in (TOKEN, PATH, "planted-path"):
        assert secret not in str(told.value)


@pytest.mark.parametrize(
    ("header", "value"), [("Authorization", f"Bearer {TOKEN}"), ("X-Auth-Token", TOKEN)], ids=["authorization", "a header of its own"]
)
def test_a_report_arrives_as_json_with_the_token(server: Receiver, header: str, value: str) -> None:
    Webhook(server.url, TOKEN, header).send({**RUN, "failures": [FAILURE]})
    ((path, headers, body),) = server.got
    assert (path, headers[header], headers["Content-Type"]) == (PATH, value, "application/json")
    assert json.loads(body) == {**RUN, "failures": [FAILURE]}


def test_an_error_of_the_server_is_told_without_the_address(server: Receiver) -> None:
    server.status = 500
    fails(Webhook(server.url, TOKEN), r"^Cannot send failures to the webhook at 127\.0\.0\.1: it answered 500\.$")


def test_a_closed_port_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    fails(Webhook(f"http://127.0.0.1:{port}{PATH}", TOKEN), "ConnectionRefusedError")


def test_a_slow_server_is_not_waited_for(server: Receiver) -> None:
    server.pause_s = 2
    begun = time.monotonic()
    fails(Webhook(server.url, TOKEN, timeout_s=1), "(?i)timeout")
    assert time.monotonic() - begun < 1.8


def test_the_token_does_not_go_where_a_redirection_leads(server: Receiver) -> None:
    server.status, server.location = 302, f"http://127.0.0.1:{server.port}/elsewhere"
    fails(Webhook(server.url, TOKEN), "it answered 302")
    assert len(server.got) == 1


@pytest.mark.parametrize("url", ["file:///etc/passwd", "feeds", "http:///x", "http://[::1", "ftp://127.0.0.1/x"])
def test_what_is_no_web_address_is_refused(url: str) -> None:
    fails(Webhook(url, TOKEN), "Cannot send failures")


def test_a_certificate_that_nobody_vouches_for_is_refused(server: Receiver, tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    server.http.socket = tls.wrap_socket(server.http.socket, server_side=True, do_handshake_on_connect=False)
    url = f"https://localhost:{server.port}{PATH}"
    fails(Webhook(url, TOKEN), "Cannot send failures")
    assert server.got == []
    Webhook(url, TOKEN, ca_path=str(certificate)).send(RUN)
    assert len(server.got) == 1


def self_signed(folder: Path) -> Path:
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(key, hashes.SHA256())
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = folder / "server.pem"
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


def test_sentry_without_its_package_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "sentry_sdk", None)
    with pytest.raises(NotSent, match="sentry-sdk is not installed"):
        Sentry("http://key@127.0.0.1/1").send(RUN, [FAILURE])


def test_sentry_gets_an_event_for_each_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    class Client:
        def __init__(self, **options: Any) -> None:
            seen.append(options)

        def capture_event(self, event: dict[str, Any]) -> None:
            seen.append(event)

        def close(self, timeout: float) -> None:
            seen.append(timeout)

    monkeypatch.setattr(reports, "sentry_sdk", SimpleNamespace(Client=Client))
    Sentry("http://key@127.0.0.1/1", "home").send(RUN, [FAILURE, {**FAILURE, "app": "code"}])
    options, first, second, timeout = seen
    assert (options["environment"], options["default_integrations"], timeout) == ("home", False, reports.SENTRY_FLUSH_S)
    assert (first["message"], first["tags"]["step"]) == ("App feeds: It broke.", "docker")
    assert first["fingerprint"] != second["fingerprint"]


def test_sentry_itself(server: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sentry_sdk")
    monkeypatch.setattr(sys, "argv", ["ansible-playbook", "-e", "db_password=planted-1"])
    Sentry(f"http://key@127.0.0.1:{server.port}/1", "home").send(RUN, [FAILURE])
    events = [row for _path, headers, body in server.got for row in _envelope(headers, body) if "App feeds: It broke." in row]
    assert len(events) == 1
    event = json.loads(events[0])
    assert (event["environment"], event["tags"]["app"], event["level"]) == ("home", "feeds", "error")
    assert "planted-1" not in events[0]
    with pytest.raises(NotSent, match="no DSN"):
        Sentry("nonsense").send(RUN, [FAILURE])


def _envelope(headers: dict[str, str], body: bytes) -> list[str]:
    return (gzip.decompress(body) if headers.get("Content-Encoding") == "gzip" else body).decode().splitlines()
