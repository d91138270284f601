# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Facts as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

Rows = Iterable[Mapping[str, Any]]
CLUSTERS = ("cluster", "state", "version", "nodes", "apps", "running", "cpu", "memory")
APPS = ("app", "cluster", "node", "vmid", "status", "entry", "owner", "address", "cpu", "memory", "uptime")
MISSING = "-"
UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def table_lines(rows: Rows, columns: Sequence[str]) -> list[str]:
    """Lay rows out under their column names; numbers stand on the right. A column in which nothing stands is left out."""
    found = [[_cell(row.get(column)) for column in columns] for row in rows]
    if not found:
        return []
    kept = [at for at, _column in enumerate(columns) if any(row[at] != MISSING for row in found)]
    cells = [[columns[at].upper() for at in kept], *([row[at] for at in kept] for row in found)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    right = [all(row[at][:1].isdigit() or row[at] == MISSING for row in found) for at in kept]
    layout = list(zip(widths, right, strict=True))
    return [_line(zip(row, layout, strict=True)) for row in cells]


def status_lines(seen: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Show what `proximity_facts` told of each cluster: the clusters, their apps, and what is wrong."""
    answered = {name: result["cluster"] for name, result in seen.items() if "cluster" in result}
    clusters = [_cluster_row(name, answered.get(name)) for name in seen]
    apps = [_app_row(name, app) for name, cluster in answered.items() for app in cluster.get("apps", ())]
    problems = list(_problems(seen))
    blocks = [table_lines(clusters, CLUSTERS), table_lines(apps, APPS) or ["There is no app."], problems]
    return [line for block in blocks if block for line in ("", *block)][1:]


def connection_lines(cluster: Mapping[str, Any]) -> list[str]:
    """Show the parts `connection`, `health` and `settings` of one cluster: who we are there, which features work, and what is wrong."""
    about, health, settings = cluster["connection"], cluster["health"], cluster.get("settings") or {}
    kind = "the embedded lab" if about["lab"] else "Proxmox VE"
    checked = "its certificate was checked" if about["verified"] else "its certificate was not checked"
    greeting = f"{about['url']} answered in {about['latency_ms']} ms. It is {kind}, {checked}, and we are {about['who']}."
    lacks: dict[str, list[str]] = {}
    for each in health["rights"]["missing"]:
        lacks.setdefault(each["feature"], []).append(f"{' '.join(each['privileges'])} on {each['path']}")
    rows = [{"feature": name, "works": works, "missing": lacks.get(name)} for name, works in health["rights"]["features"].items()]
    return [greeting, "", *table_lines(rows, ("feature", "works", "missing")), *health["problems"], *settings.get("problems", ())]


def _cluster_row(name: str, cluster: Mapping[str, Any] | None) -> dict[str, Any]:
    if cluster is None:
        return {"cluster": name, "state": "not reached"}
    nodes, apps, health = cluster.get("nodes") or [], cluster.get("apps") or [], cluster.get("health")
    audited = [node for node in nodes if node["memory_max_mb"]]
    cores = sum(node["cores"] for node in audited)
    load = sum(node["cpu_percent"] * node["cores"] for node in audited)
    return {
        "cluster": name,
        "state": MISSING if health is None else "ok" if health["ok"] else "problems",
        "version": (cluster.get("version") or {}).get("full"),
        "nodes": f"{sum(node['online'] for node in nodes)}/{len(nodes)}",
        "apps": len(apps),
        "running": sum(app["power"] == "running" for app in apps),
        "cpu": f"{load / cores:.0f}%" if cores else None,
        "memory": _share(sum(node["memory_mb"] for node in audited), sum(node["memory_max_mb"] for node in audited)),
    }


def _app_row(cluster: str, app: Mapping[str, Any]) -> dict[str, Any]:
    usage, running = app["usage"], app["power"] == "running"
    return {
        **{key: app[key] for key in ("node", "vmid", "status", "entry", "owner")},
        "app": app["name"],
        "cluster": cluster,
        "address": app["url"] or app["address"],
        "cpu": f"{usage['cpu_percent']:.0f}%" if running else None,
        "memory": _share(usage["memory_mb"], usage["memory_max_mb"]) if running else None,
        "uptime": _span(app["uptime_s"]) if running else None,
    }


def _problems(seen: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for name, result in seen.items():
        cluster = result.get("cluster")
        if cluster is None:
            yield f"{name} - {result.get('msg', 'It was not asked.')}"
            continue
        yield from (f"{name} - {problem}" for problem in (cluster.get("health") or {}).get("problems", ()))
        yield from (f"{name} - App {app['name']} has a problem. {app['problem']}" for app in cluster.get("apps", ()) if app["problem"])


def _line(cells: Iterable[tuple[str, tuple[int, bool]]]) -> str:
    return "  ".join(cell.rjust(width) if number else cell.ljust(width) for cell, (width, number) in cells).rstrip()


def _share(used_mb: int, size_mb: int) -> str | None:
    if size_mb < 4096:
        return f"{used_mb}/{size_mb} MiB" if size_mb else None
    return f"{used_mb / 1024:.1f}/{size_mb / 1024:.1f} GiB"


def _span(seconds: int) -> str:
    return next((f"{seconds // size} {unit}" for size, unit in UNITS if seconds >= size), "0 s")


def _cell(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        value = ", ".join(str(each) for each in value)
    return MISSING if value is None or value == "" else str(value).replace("\n", " ")
