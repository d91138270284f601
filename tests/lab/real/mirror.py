"""Which Debian mirror this machine uses, so that the lab's builds and guests use the same one. No host is named in the repository."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from lab.guests.runtime import RuntimeFailure
from lab.real.shell import run

CARRIED_SETTINGS = ("Acquire::Check-Valid-Until", "Acquire::Check-Date", "Acquire::Retries")
"""Settings of the machine's apt that say something about its mirror, and so hold for guests too."""
GENERIC_SUITES = ("stable", "oldstable", "testing", "unstable", "sid")


@dataclass(frozen=True)
class Mirror:
    """A Debian mirror as the machine's apt knows it; `security` and `proxy` may be absent."""

    uri: str
    security: str | None = None
    updates: bool = False
    proxy: str | None = None
    settings: tuple[tuple[str, str], ...] = ()

    def hosts(self) -> tuple[str, ...]:
        """Names that guests ask DNS for."""
        return tuple(dict.fromkeys(urlsplit(uri).hostname or "" for uri in (self.uri, self.security) if uri))

    def sources(self, suite: str) -> str:
        """A guest's debian.sources: plain HTTP to the mirror's own name, which on a lab node is the apt cache."""
        suites = [suite, f"{suite}-updates"] if self.updates else [suite]
        text = _source(guest_uri(self.uri), " ".join(suites))
        return text + "\n" + _source(guest_uri(self.security), f"{suite}-security") if self.security else text


def _source(uri: str, suites: str) -> str:
    return f"Types: deb\nURIs: {uri}\nSuites: {suites}\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"


def guest_uri(uri: str) -> str:
    """The mirror's URI as guests and builds write it: HTTP, port 80, no credentials."""
    parts = urlsplit(uri)
    return f"http://{parts.hostname}{parts.path.rstrip('/')}"


def choose(targets: Iterable[str], codename: str) -> Mirror:
    """Pick the mirror out of lines `URI RELEASE COMPONENT` of `apt-get indextargets`."""
    main = security = None
    updates = False
    for line in targets:
        uri, _, rest = line.strip().partition(" ")
        release, _, component = rest.partition(" ")
        if component != "main" or not uri.startswith(("http://", "https://")):
            continue
        base = release.partition("-")[0].partition("/")[0]
        if base != codename and base not in GENERIC_SUITES:
            continue
        if release.endswith(("-security", "/updates")):
            security = security or uri.rstrip("/")
        elif release.endswith("-updates"):
            updates = True
        elif release == base:
            main = main or uri.rstrip("/")
    if main is None:
        raise RuntimeFailure("this machine's apt sources name no Debian mirror over HTTP; set PROXIMITY_LAB_MIRROR to the URI of one")
    return Mirror(main, security, updates)


def mirror_of_machine() -> Mirror:
    """The machine's own mirror; PROXIMITY_LAB_MIRROR and PROXIMITY_LAB_SECURITY_MIRROR come first."""
    named = os.environ.get("PROXIMITY_LAB_MIRROR")
    if named:
        found = Mirror(named.rstrip("/"), os.environ.get("PROXIMITY_LAB_SECURITY_MIRROR", "").rstrip("/") or None)
    else:
        listed = run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"])
        found = choose(listed.splitlines(), _codename())
    settings = tuple((name, value) for name in CARRIED_SETTINGS if (value := apt_setting(name)))
    return Mirror(found.uri, found.security, found.updates, apt_setting("Acquire::http::Proxy") or None, settings)


def apt_setting(name: str) -> str:
    """One value of apt's configuration, empty when unset."""
    line = run(["apt-config", "shell", "VALUE", name]).strip()
    return line.removeprefix("VALUE=").strip("'")


def _codename() -> str:
    for line in Path("/etc/os-release").read_text().splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.partition("=")[2].strip('"')
    return "stable"
