# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ask image registries for tags, digests and what is in an image: the reading half of the OCI distribution API, version 2.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md; tokens as in
https://distribution.github.io/distribution/spec/auth/token/.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError

try:
    import requests

    REQUESTS_ERROR = ""
except ImportError as error:
    REQUESTS_ERROR = str(error)

DOCKER_HUB = "docker.io"
API_OF = {DOCKER_HUB: "https://registry-1.docker.io"}
"""Docker Hub's API has another name than its images. https://docs.docker.com/reference/api/registry/"""
INDEX = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
MANIFEST = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
NEXT = re.compile(r'<([^>]*)>\s*;\s*rel="?next"?')
PAGES, PAGE = 200, 1000
TRIES, PAUSE_S, LONGEST_PAUSE_S = 3, 1.0, 30.0
TOO_MANY = 429
TRANSIENT = (TOO_MANY, 502, 503, 504)


class RegistryError(Exception):
    """A registry did not say what it was asked; the text says who, what, and why."""


@dataclass(frozen=True)
class Access:
    """How a registry is reached; an empty `url` means https and the registry's own name. `verify` is as in requests."""

    url: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    verify: bool | str = True


class Place(NamedTuple):
    """Where an image is: `docker.io` and `library/postgres` for `postgres`."""

    registry: str
    repository: str


def place_of(name: str) -> Place:
    """Split an image's name by Docker's rule: a first part with a dot or a colon, or localhost, is a registry."""
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return Place(first, rest)
    return Place(DOCKER_HUB, name if slash else f"library/{name}")


class Registries:
    """The registries of one run: one session, the tokens that were given, and who is not asked again because he does not answer."""

    def __init__(
        self, access: Mapping[str, Access] | None = None, timeout_s: float = 20, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        if REQUESTS_ERROR:
            raise SpecError(f"Asking registries needs the Python package requests on the controller: {REQUESTS_ERROR}")
        self._access, self._timeout_s, self._sleep = dict(access or {}), timeout_s, sleep
        self._session = requests.Session()
        self._tokens: dict[Place, str] = {}
        self._given_up: dict[str, str] = {}

    def tags(self, name: str) -> list[str]:
        """Every tag of an image, in the registry's order."""
        place, found = place_of(name), []
        path = f"/v2/{place.repository}/tags/list?n={PAGE}"
        for _page in range(PAGES):
            answer = self._ask("GET", place, path, what="tags")
            found += _listed(answer, place)
            following = NEXT.search(answer.headers.get("Link", ""))
            if not following:
                return found
            path = self._same_host(place, following[1])
        raise RegistryError(f"{place.registry} lists more than {PAGES} pages of tags of {place.repository}")

    def digest(self, name: str, reference: str) -> str:
        """The digest that a tag stands for now: of the index where an image exists for several architectures."""
        place = place_of(name)
        path = f"/v2/{place.repository}/manifests/{reference}"
        answer = self._ask("HEAD", place, path, accept=(*INDEX, *MANIFEST), what=f"tag {reference}")
        told = str(answer.headers.get("Docker-Content-Digest", ""))
        if DIGEST.fullmatch(told):
            return told
        answer = self._ask("GET", place, path, accept=(*INDEX, *MANIFEST), what=f"tag {reference}")
        return "sha256:" + hashlib.sha256(answer.content).hexdigest()

    def image(self, name: str, reference: str) -> dict[str, Any]:
        """What is in an image: `config` as in the image specification, and the `architectures` that it exists for."""
        place = place_of(name)
        manifest = self._json(place, f"/v2/{place.repository}/manifests/{reference}", (*INDEX, *MANIFEST), f"tag {reference}")
        rows = [row.get("platform") or {} for row in manifest.get("manifests") or ()]
        architectures = {str(row["architecture"]) for row in rows if row.get("os") == "linux" and "architecture" in row}
        if manifest.get("manifests"):
            linux = next(
                (row for row in manifest["manifests"] if (row.get("platform") or {}).get("os") == "linux"), manifest["manifests"][0]
            )
            manifest = self._json(place, f"/v2/{place.repository}/manifests/{linux['digest']}", MANIFEST, "one architecture")
        blob = self._json(
            place, f"/v2/{place.repository}/blobs/{(manifest.get('config') or {}).get('digest', '')}", (), "the image's config"
        )
        return {"config": blob.get("config") or {}, "architectures": sorted(architectures or {str(blob.get("architecture", "amd64"))})}

    def _json(self, place: Place, path: str, accept: tuple[str, ...], what: str) -> dict[str, Any]:
        answer = self._ask("GET", place, path, accept=accept, what=what)
        try:
            data = answer.json()
        except ValueError as error:
            raise RegistryError(f"{place.registry} did not answer with JSON when asked for {what} of {place.repository}") from error
        return data if isinstance(data, dict) else {}

    def _base(self, registry: str) -> str:
        return (self._reached(registry).url or API_OF.get(registry) or f"https://{registry}").rstrip("/")

    def _reached(self, registry: str) -> Access:
        return self._access.get(registry, Access())

    def _same_host(self, place: Place, link: str) -> str:
        """A link to the next page stays within the registry: tokens are not carried elsewhere."""
        base = self._base(place.registry) + "/"
        whole = urljoin(base, link)
        if urlsplit(whole)[:2] != urlsplit(base)[:2]:
            raise RegistryError(f"{place.registry} sends elsewhere for more tags of {place.repository}: {urlsplit(whole).hostname}")
        return whole.removeprefix(base.rstrip("/"))

    def _ask(self, method: str, place: Place, path: str, accept: tuple[str, ...] = (), what: str = "") -> Any:
        """One question, with a token where the registry wants one, asked again where that may help; raises RegistryError."""
        told = f"{place.registry} for {what} of {place.repository}"
        if place.registry in self._given_up:
            raise RegistryError(f"Did not ask {told}: {self._given_up[place.registry]}")
        answer = self._patiently(method, place, path, accept, told)
        if answer.status_code == 200:
            return answer
        refusal = _refusal(answer)
        if answer.status_code == TOO_MANY:
            self._given_up[place.registry] = refusal
        raise RegistryError(f"Asked {told}: {refusal}")

    def _patiently(self, method: str, place: Place, path: str, accept: tuple[str, ...], told: str) -> Any:
        answer = self._once(method, place, path, accept, told)
        if answer.status_code == 401:
            self._sign_in(place, answer.headers.get("WWW-Authenticate", ""), told)
            answer = self._once(method, place, path, accept, told)
        for attempt in range(TRIES - 1):
            if answer.status_code not in TRANSIENT:
                break
            self._sleep(_pause(answer.headers.get("Retry-After", ""), attempt))
            answer = self._once(method, place, path, accept, told)
        return answer

    def _once(self, method: str, place: Place, path: str, accept: tuple[str, ...], told: str) -> Any:
        headers = {"Accept": ", ".join(accept)} if accept else {}
        if place in self._tokens:
            headers["Authorization"] = self._tokens[place]
        return self._send(method, self._base(place.registry) + path, place.registry, told, headers=headers)

    def _send(self, method: str, url: str, registry: str, told: str, **more: Any) -> Any:
        try:
            return self._session.request(method, url, timeout=self._timeout_s, verify=self._reached(registry).verify, **more)
        except requests.RequestException as error:
            reason = f"no answer from {urlsplit(url).hostname} ({type(error).__name__})"
            if isinstance(error, (requests.ConnectionError, requests.Timeout)):
                self._given_up[registry] = reason
            raise RegistryError(f"Asked {told}: {reason}") from error

    def _sign_in(self, place: Place, challenge: str, told: str) -> None:
        """Follow the registry's word on how to prove who asks; without a user, a token for everybody is asked for."""
        access = self._reached(place.registry)
        if challenge.lower().startswith("basic") and access.username:
            self._tokens[place] = (
                requests.Request("GET", self._base(place.registry), auth=(access.username, access.password))
                .prepare()
                .headers["Authorization"]
            )
            return
        words = dict(CHALLENGE.findall(challenge))
        realm = words.get("realm", "")
        if not challenge.lower().startswith("bearer") or not realm:
            raise RegistryError(f"Asked {told}: it wants to know who asks; give username and password for {place.registry}")
        if urlsplit(realm).scheme != "https" and urlsplit(self._base(place.registry)).scheme == "https":
            raise RegistryError(f"Asked {told}: it sends to {realm} for a token, which is not encrypted")
        query = {"service": words.get("service", ""), "scope": words.get("scope") or f"repository:{place.repository}:pull"}
        auth = (access.username, access.password) if access.username else None
        answer = self._send("GET", realm, place.registry, told, params={key: value for key, value in query.items() if value}, auth=auth)
        token = _token(answer)
        if not token:
            raise RegistryError(f"Asked {told}: {urlsplit(realm).hostname} gives no token (HTTP {answer.status_code})")
        self._tokens[place] = f"Bearer {token}"


def _token(answer: Any) -> str:
    try:
        data = answer.json() if answer.status_code == 200 else {}
    except ValueError:
        return ""
    return str(data.get("token") or data.get("access_token") or "")


def _listed(answer: Any, place: Place) -> list[str]:
    try:
        tags = answer.json().get("tags")
    except (ValueError, AttributeError) as error:
        raise RegistryError(f"{place.registry} did not answer with a list of tags of {place.repository}") from error
    return [str(tag) for tag in tags or ()]


def _pause(said: str, attempt: int) -> float:
    wanted = float(said) if said.isdecimal() else PAUSE_S * 2**attempt
    return min(wanted, LONGEST_PAUSE_S)


def _refusal(answer: Any) -> str:
    """The registry's own words where it has some."""
    status = answer.status_code
    words = {401: "it does not let us", 403: "it does not let us", 404: "it has no such image or tag", 429: "it was asked too often"}
    try:
        rows = json.loads(answer.content or b"{}").get("errors") or []
        said = "; ".join(str(row.get("message")) for row in rows if isinstance(row, dict) and row.get("message"))
    except (ValueError, AttributeError):
        said = ""
    return f"{words.get(status, 'it failed')} (HTTP {status}{': ' + said if said else ''})"


def registries_of(rows: Iterable[Mapping[str, Any]]) -> Registries:
    """The registries as module proximity_catalog's parameter of that name describes them."""
    return Registries(
        {
            row["name"]: Access(
                row.get("url") or "",
                row.get("username") or "",
                row.get("password") or "",
                row.get("ca_path") or row.get("validate_certs") is not False,
            )
            for row in rows
        }
    )
