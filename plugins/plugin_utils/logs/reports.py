# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Failures of a run, sent to a webhook and to Sentry."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

from ansible.module_utils.urls import SSLValidationError, open_url
from ansible_collections.proximity.platform.plugins.module_utils.errors import ProximityError

try:
    import sentry_sdk
except ImportError:
    sentry_sdk = None

Failure = Mapping[str, Any]
SENTRY_FLUSH_S = 5


class NotSent(ProximityError):
    """A report did not arrive. The message names the receiver without what is secret in its address."""


@dataclass(frozen=True)
class Webhook:
    url: str
    token: str = ""
    token_header: str = "Authorization"
    timeout_s: int = 5
    ca_path: str | None = None

    def send(self, report: Mapping[str, Any]) -> None:
        """POST the report as JSON. A redirection is an error: the token is for this server alone."""
        host = _host_of(self.url)
        if not host:
            raise NotSent("Cannot send failures to the webhook: its address is none that begins with https:// or http:// and has a host.")
        place = f"the webhook at {host}"
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers[self.token_header] = f"Bearer {self.token}" if self.token_header.lower() == "authorization" else self.token
        try:
            open_url(
                self.url,
                method="POST",
                data=json.dumps(report).encode(),
                headers=headers,
                timeout=self.timeout_s,
                ca_path=self.ca_path,
                follow_redirects="none",
            ).close()
        except HTTPError as error:
            error.close()
            raise NotSent(f"Cannot send failures to {place}: it answered {error.code}.") from error
        except (OSError, ValueError, HTTPException, SSLValidationError) as error:
            why = getattr(error, "reason", None) or error
            raise NotSent(f"Cannot send failures to {place}: {type(why).__name__}.") from error


def _host_of(url: str) -> str:
    """The host of a web address, the only part of it that may be told; empty for any other address."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return parts.hostname or "" if parts.scheme in ("http", "https") else ""


@dataclass(frozen=True)
class Sentry:
    dsn: str
    environment: str = ""

    def send(self, run: Mapping[str, Any], failures: Sequence[Failure]) -> None:
        """An event for each failure. No integration is on: they would send what the process was called with."""
        if sentry_sdk is None:
            raise NotSent("Cannot send failures to Sentry: the Python package sentry-sdk is not installed on the controller.")
        quiet = {"default_integrations": False, "auto_enabling_integrations": False}
        try:
            client = sentry_sdk.Client(dsn=self.dsn, environment=self.environment or None, **quiet)
        except ValueError as error:  # BadDsn
            raise NotSent("Cannot send failures to Sentry: sentry_dsn is no DSN.") from error
        for failure in failures:
            client.capture_event(_event(run, failure))
        client.close(timeout=SENTRY_FLUSH_S)


def _event(run: Mapping[str, Any], failure: Failure) -> dict[str, Any]:
    """Failures of one app at one step are one issue in Sentry."""
    where = {key: str(failure[key]) for key in ("app", "cluster", "step")}
    return {
        "level": "error",
        "logger": "proximity.platform",
        "message": f"App {failure['app']}: {failure['error']}",
        "fingerprint": ["proximity.platform", *where.values()],
        "tags": {**where, "run": run["run"], "playbook": run["playbook"]},
        "extra": {"errors": failure["errors"], "log": failure["log"]},
    }
