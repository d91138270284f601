# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Registries are asked as they want to be asked, and a refusal says who refused what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError
from ansible_collections.proximity.platform.plugins.plugin_utils.updates import registry
from ansible_collections.proximity.platform.plugins.plugin_utils.updates.registry import Access, Registries, RegistryError, place_of
from unit.catalog.small_registry import SmallRegistry, small_registry

PAUSES: list[float] = []


@pytest.fixture
def served() -> Iterator[SmallRegistry]:
    with small_registry() as registry:
        registry.add("library/web", *(f"1.{number}.0" for number in range(25)))
        yield registry


def ask(registry: SmallRegistry, **access: Any) -> Registries:
    PAUSES.clear()
    return Registries({"docker.io": Access(registry.url, **access)}, timeout_s=5, sleep=PAUSES.append)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("web", ("docker.io", "library/web")),
        ("acme/web", ("docker.io", "acme/web")),
        ("quay.io/acme/web", ("quay.io", "acme/web")),
        ("localhost/web", ("localhost", "web")),
        ("hub:5000/a/b/c", ("hub:5000", "a/b/c")),
    ],
)
def test_an_images_name_says_its_registry(name: str, place: tuple[str, str]) -> None:
    assert place_of(name) == place


def test_tags_come_in_pages(served: SmallRegistry) -> None:
    served.page = 10
    assert len(ask(served).tags("web")) == 25
    assert len(served.asked) == 3


def test_a_digest_is_asked_for_without_its_manifest(served: SmallRegistry) -> None:
    assert ask(served).digest("web", "1.3.0") == served.digest("library/web", "1.3.0")
    assert served.asked == ["HEAD /v2/library/web/manifests/1.3.0"]


def test_a_digest_that_is_not_told_is_worked_out(served: SmallRegistry) -> None:
    served.tells_digest = False
    assert ask(served).digest("web", "1.3.0") == served.digest("library/web", "1.3.0")


@pytest.mark.parametrize(("wants", "user"), [("token", ""), ("token", "anna"), ("user", "anna"), ("basic", "anna")])
def test_a_token_is_fetched_once(served: SmallRegistry, wants: str, user: str) -> None:
    served.wants = wants
    registries = ask(served, username=user, password="secret" if user else "")
    assert registries.tags("web") and registries.digest("web", "1.0.0")
    assert sum(row.startswith("GET /token") for row in served.asked) == (wants != "basic")


@pytest.mark.parametrize(
    ("wants", "user", "said"),
    [
        ("user", "", "gives no token"),
        ("user", "otto", "gives no token"),
        ("basic", "", "give username and password for docker.io"),
        ("basic", "otto", "it does not let us"),
    ],
)
def test_who_may_not_is_told_so(served: SmallRegistry, wants: str, user: str, said: str) -> None:
    served.wants = wants
    with pytest.raises(RegistryError, match=said):
        ask(served, username=user, password="secret").tags("web")


def test_a_token_is_not_asked_for_in_plain_text() -> None:
    registries = Registries({})
    with pytest.raises(RegistryError, match="not encrypted"):
        registries._sign_in(place_of("quay.io/a/b"), 'Bearer realm="http://elsewhere.example.com/token"', "quay.io")


def test_what_is_not_there_is_told_in_the_registrys_words(served: SmallRegistry) -> None:
    with pytest.raises(
        RegistryError, match=r"Asked docker.io for tags of library/nope: it has no such image or tag \(HTTP 404: no such thing\)"
    ):
        ask(served).tags("nope")


def test_what_is_busy_is_asked_again(served: SmallRegistry) -> None:
    served.faults = [(429, {"Retry-After": "7"}), (503, {})]
    assert len(ask(served).tags("web")) == 25
    assert PAUSES == [7.0, 2.0]


def test_what_stays_busy_is_told(served: SmallRegistry) -> None:
    served.faults = [(429, {"Retry-After": "9999"})] * 3
    with pytest.raises(RegistryError, match=r"it was asked too often \(HTTP 429: not now\)"):
        ask(served).tags("web")
    assert PAUSES == [30.0, 30.0]


def test_nobody_at_home_is_told() -> None:
    with pytest.raises(RegistryError, match=r"no answer from 127.0.0.1 \(ConnectionError\)"):
        Registries({"docker.io": Access("http://127.0.0.1:9")}, timeout_s=2).tags("web")


def test_who_does_not_answer_is_not_asked_again() -> None:
    registries = Registries({"docker.io": Access("http://127.0.0.1:9")}, timeout_s=2)
    with pytest.raises(RegistryError, match=r"Asked docker.io for tags of library/web: no answer"):
        registries.tags("web")
    with pytest.raises(RegistryError, match=r"Did not ask docker.io for tags of library/other: no answer from 127.0.0.1"):
        registries.tags("other")


def test_who_is_asked_too_often_is_left_alone(served: SmallRegistry) -> None:
    registries = ask(served)
    served.faults = [(429, {})] * 3
    for _again in range(2):
        with pytest.raises(RegistryError, match="it was asked too often"):
            registries.tags("web")
    assert len(served.asked) == 3


def test_a_list_does_not_lead_elsewhere(served: SmallRegistry) -> None:
    served.page, served.next_page = 10, "http://elsewhere.example.com/v2/library/web/tags/list?last=x"
    with pytest.raises(RegistryError, match="sends elsewhere for more tags"):
        ask(served).tags("web")


def test_a_list_without_end_is_given_up(served: SmallRegistry) -> None:
    served.page, served.next_page = 10, "/v2/library/web/tags/list?n=10"
    with pytest.raises(RegistryError, match="more than 200 pages"):
        ask(served).tags("web")


def test_what_is_in_an_image_is_told(served: SmallRegistry) -> None:
    served.add("acme/one", "1.0", config={"ExposedPorts": {"80/tcp": {}}})
    served.add("acme/two", "1.0", config={"Env": ["A=b"]}, architectures=("amd64", "arm64"))
    assert ask(served).image("acme/one", "1.0") == {"config": {"ExposedPorts": {"80/tcp": {}}}, "architectures": ["amd64"]}
    assert ask(served).image("acme/two", "1.0") == {"config": {"Env": ["A=b"]}, "architectures": ["amd64", "arm64"]}


def test_nonsense_is_told(served: SmallRegistry) -> None:
    served.images["acme/bad"] = {"1.0": b"<html>"}
    with pytest.raises(RegistryError, match="did not answer with JSON"):
        ask(served).image("acme/bad", "1.0")
    served.raw = {"/v2/library/odd/tags/list?n=1000": b"[]", "/token": b"<html>"}
    with pytest.raises(RegistryError, match="did not answer with a list of tags of library/odd"):
        ask(served).tags("odd")
    served.raw["/v2/library/sad/tags/list?n=1000"] = b"{}"
    assert ask(served).tags("sad") == []
    served.wants = "token"
    with pytest.raises(RegistryError, match="gives no token"):
        ask(served).tags("web")
    served.wants = ""
    served.images["library/tags"] = {}
    with pytest.raises(RegistryError, match="no such image"):
        ask(served).digest("tags", "1.0")


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(Access("http://x", "anna", "secret"))


def test_without_its_package_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "REQUESTS_ERROR", "No module named 'requests'")
    with pytest.raises(SpecError, match="needs the Python package requests on the controller: No module named"):
        Registries({})
