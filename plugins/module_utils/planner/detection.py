# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What runs in a guest, judged by a look into it: an entry of the catalog, a service that is known, and the port of its web pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..desired import CatalogEntry, Web
from ..looks import Container, Look, Socket

SERVICES = {
    "apache2": "apache",
    "httpd": "apache",
    "nginx": "nginx",
    "caddy": "caddy",
    "lighttpd": "lighttpd",
    "haproxy": "haproxy",
    "traefik": "traefik",
    "postgres": "postgresql",
    "mariadbd": "mariadb",
    "mysqld": "mysql",
    "redis-server": "redis",
    "mosquitto": "mosquitto",
    "node": "node",
    "java": "java",
    "python3": "python",
    "php-fpm": "php",
    "grafana": "grafana",
    "grafana-server": "grafana",
    "prometheus": "prometheus",
    "influxd": "influxdb",
    "jellyfin": "jellyfin",
    "smbd": "samba",
    "pihole-FTL": "pihole",
    "AdGuardHome": "adguard-home",
}
NOT_WEB = frozenset({22, 25, 53, 111, 139, 445, 465, 587, 993, 1883, 3306, 5432, 6379})
PREFERRED = (80, 443, 8080, 8443, 3000, 8000, 8096, 9000)
ENCRYPTED = frozenset({443, 8443, 9443})
HELPERS = frozenset({"docker-proxy", "rootlesskit", "conmon"})
"""Who listens for a container, which tells more itself."""


@dataclass(frozen=True)
class Detected:
    """`by` says how: catalog, compose, image, service, or nothing. `service` is a word for people."""

    by: str = ""
    entry: CatalogEntry | None = None
    service: str = ""
    project: str = ""
    web: Web | None = None


def detect(look: Look | None, entries: Sequence[CatalogEntry], wished: CatalogEntry | None = None) -> Detected:
    """Judge a guest; the entry that the user names is taken at his word. Without a look, nothing more is known."""
    groups = _groups(look.containers) if look else {}
    if wished:
        project = next((name for name, members in groups.items() if _common(wished, members)), "")
        members = groups.get(project, [])
        web = _web_of_entry(wished, members) if members else _web(look, look.containers if look else ()) or wished.web
        return Detected("catalog", wished, wished.title, project, web)
    matches = [(_quality(entry, members), entry, name) for name, members in groups.items() for entry in entries if _matches(entry, members)]
    best = max((quality for quality, _entry, _name in matches), default=None)
    chosen = [(entry, name) for quality, entry, name in matches if quality == best]
    if len({entry.id for entry, _name in chosen}) == 1:
        entry, name = chosen[0]
        project = name if groups[name][0].project else ""
        return Detected("compose" if project else "image", entry, entry.title, project, _web_of_entry(entry, groups[name]))
    return _undetermined(look, groups)


def _undetermined(look: Look | None, groups: dict[str, list[Container]]) -> Detected:
    if look is None:
        return Detected()
    if groups:
        name, members = min(groups.items(), key=lambda item: (not _published(item[1]), item[0]))
        return Detected("compose" if members[0].project else "image", None, name, members[0].project, _web(look, members))
    socket = _main_socket(look.sockets)
    known = SERVICES.get(socket.process, "") if socket else ""
    return Detected("service" if known else "", None, known or (socket.process if socket else ""), "", _web(look, ()))


def repository(image: str) -> str:
    """An image without registry's default, tag and digest."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    name = head + slash + last.partition(":")[0]
    for prefix in ("docker.io/", "index.docker.io/", "library/"):
        name = name.removeprefix(prefix)
    return name


def _groups(containers: Iterable[Container]) -> dict[str, list[Container]]:
    """Containers by Compose project; each one without is a group of its own."""
    groups: dict[str, list[Container]] = {}
    for container in containers:
        groups.setdefault(container.project or repository(container.image), []).append(container)
    return groups


def _common(entry: CatalogEntry, members: Iterable[Container]) -> set[str]:
    return {repository(image) for image in entry.images.values()} & {repository(each.image) for each in members}


def _matches(entry: CatalogEntry, members: Sequence[Container]) -> bool:
    """The image with the web pages has to be there; what else belongs to an entry may be elsewhere, such as a database."""
    main = entry.images.get(entry.web_service) if entry.web_service else next(iter(entry.images.values()), None)
    return main is not None and repository(main) in _common(entry, members)


def _quality(entry: CatalogEntry, members: Sequence[Container]) -> tuple[int, float]:
    common = len(_common(entry, members))
    return common, common / max(1, len(entry.images))


def _web_of_entry(entry: CatalogEntry, members: Sequence[Container]) -> Web | None:
    """The entry's web pages, on the port that is published for them here."""
    if entry.web is None:
        return None
    main = repository(entry.images.get(entry.web_service, ""))
    ports = [pair for each in members if repository(each.image) == main for pair in each.ports] or _published(members)
    published = [outer for outer, inner in ports if entry.web.port in (outer, inner)] or [outer for outer, _inner in ports]
    port = entry.web.port if entry.web.port in published else min(published, default=entry.web.port)
    return Web(entry.web.scheme, port, entry.web.path)


def _published(members: Iterable[Container]) -> list[tuple[int, int]]:
    return [pair for each in members for pair in each.ports]


def _web(look: Look | None, members: Iterable[Container]) -> Web | None:
    published = [outer for outer, _inner in _published(members)]
    sockets = [Socket(port) for port in published] or (list(look.sockets) if look else [])
    socket = _main_socket(sockets)
    return Web("https" if socket.port in ENCRYPTED else "http", socket.port) if socket else None


def _main_socket(sockets: Iterable[Socket]) -> Socket | None:
    """The one that most likely has web pages: of a usual port, else of the lowest; those of other services never."""
    fitting = [socket for socket in sockets if socket.port not in NOT_WEB and socket.process not in HELPERS]
    usual = {port: place for place, port in enumerate(PREFERRED)}
    return min(fitting, key=lambda each: (usual.get(each.port, len(usual)), each.port), default=None)
