"""Stand-ins for AWX and Semaphore: what their REST APIs make of the requests that set up schedules."""

from __future__ import annotations

import itertools
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Row = dict[str, Any]
TOKEN = "planted-token"
SEMAPHORE_FIELDS = {
    "templates": {
        *("id", "project_id", "inventory_id", "repository_id", "environment_id", "environment_ids", "view_id", "vaults", "name"),
        *("playbook", "working_directory", "arguments", "description", "allow_override_args_in_task", "limit", "app", "type"),
        *("suppress_success_alerts", "suppress_error_alerts"),
        *("git_branch", "survey_vars", "start_version", "build_template_id", "autorun", "task_params"),
    },
    "schedules": {"id", "cron_format", "project_id", "template_id", "name", "active", "run_at", "type", "task_params"},
}
"""TemplateRequest and ScheduleRequest of Semaphore 2.16's api-docs.yml."""


class Scheduler:
    """Rows by their kind, such as `schedules`; each has an `id`."""

    def __init__(self, rows: Mapping[str, list[Row]]) -> None:
        self.rows: dict[str, list[Row]] = {kind: [dict(row) for row in given] for kind, given in rows.items()}
        self._ids = itertools.count(1)
        for row in itertools.chain.from_iterable(self.rows.values()):
            row["id"] = next(self._ids)

    def add(self, kind: str, row: Row) -> Row:
        made = {**row, "id": next(self._ids)}
        self.rows.setdefault(kind, []).append(made)
        return made

    def answer(self, method: str, path: str, query: Mapping[str, list[str]], body: Row) -> tuple[int, Any]:
        raise NotImplementedError


class Semaphore(Scheduler):
    """Project 1: its templates and schedules are listed, and made from the fields that it knows."""

    def __init__(self) -> None:
        super().__init__({"templates": [], "schedules": []})

    def answer(self, method: str, path: str, query: Mapping[str, list[str]], body: Row) -> tuple[int, Any]:
        found = re.fullmatch(r"/api/project/1/(templates|schedules)", path)
        if not found:
            return 404, {"error": "not found"}
        kind = found[1]
        if method == "GET":
            return 200, self.rows[kind]
        if unknown := set(body) - SEMAPHORE_FIELDS[kind]:
            return 400, {"error": f"unknown {unknown}"}
        if kind == "schedules" and body["template_id"] not in [row["id"] for row in self.rows["templates"]]:
            return 400, {"error": "no such template"}
        return 201, self.add(kind, body)


class Awx(Scheduler):
    """Collections under /api/v2 that are filtered by what a query names, and in which things are made; associations below them."""

    def __init__(self) -> None:
        names = {"organizations": ["Default"], "projects": ["infrastructure"], "inventories": ["apps"]}
        credentials = [{"name": name} for name in ("proximity token", "node ssh key")]
        empty: dict[str, list[Row]] = {"job_templates": [], "schedules": [], "unified_job_templates": []}
        super().__init__({kind: [{"name": name} for name in given] for kind, given in names.items()} | {"credentials": credentials} | empty)
        for kind in ("projects", "inventories"):
            self.rows[kind][0]["organization"] = self.rows["organizations"][0]["id"]
        self.associated: dict[int, list[int]] = {}

    def answer(self, method: str, path: str, query: Mapping[str, list[str]], body: Row) -> tuple[int, Any]:
        parts = [unquote(part) for part in path.removeprefix("/api/v2").strip("/").split("/")]
        kind, rest = parts[0], parts[1:]
        if kind not in self.rows:
            return 404, {"detail": "Not found."}
        if len(rest) == 2 and rest[1] == "credentials":
            return self._associations(method, int(rest[0]), body)
        if rest:
            found = [row for row in self._visible(kind) if rest[0] == str(row["id"])]
            if method == "PATCH":
                found[0].update(body)
            return (200, self._shown(kind, found[0])) if found else (404, {"detail": "Not found."})
        if method == "GET":
            wanted = {key: values[0] for key, values in query.items() if not key.startswith(("or__", "page"))}
            names = [values[0] for key, values in query.items() if key == "or__name"]
            rows = [row for row in self._visible(kind) if all(str(row.get(key)) == value for key, value in wanted.items())]
            rows = [row for row in rows if not names or row["name"] in names]
            return 200, {"count": len(rows), "results": [self._shown(kind, row) for row in rows], "next": None}
        return 201, self._shown(kind, self.add(kind, body))

    def _visible(self, kind: str) -> list[Row]:
        return self.rows["job_templates" if kind == "unified_job_templates" else kind]

    def _shown(self, kind: str, row: Row) -> Row:
        url = f"/api/v2/{kind}/{row['id']}/"
        return {**row, "type": kind.removesuffix("s"), "url": url, "related": {"credentials": f"{url}credentials/"}, "summary_fields": {}}

    def _associations(self, method: str, owner: int, body: Row) -> tuple[int, Any]:
        there = self.associated.setdefault(owner, [])
        if method == "POST":
            there.append(body["id"])
            return 204, None
        rows = [self._shown("credentials", row) for row in self.rows["credentials"] if row["id"] in there]
        return 200, {"count": len(rows), "results": rows, "next": None}


@contextmanager
def serving(scheduler: Scheduler) -> Iterator[str]:
    """The address at which it answers whoever bears the token."""

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
            url = urlsplit(self.path)
            if self.headers.get("Authorization") == f"Bearer {TOKEN}":
                status, answer = scheduler.answer(self.command, url.path, parse_qs(url.query), body)
            else:
                status, answer = 401, {"detail": "no token"}
            data = b"" if status == 204 else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = _serve  # noqa: N815

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
