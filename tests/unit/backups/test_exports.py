"""What runs as wishes, and as the text of an inventory."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from ansible_collections.proximity.platform.plugins.module_utils.entries.dotenv import dotenv, read_dotenv
from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError
from ansible_collections.proximity.platform.plugins.module_utils.exports import _network
from ansible_collections.proximity.platform.plugins.module_utils.model import GuestConfig, Network
from ansible_collections.proximity.platform.plugins.module_utils.networks import parse_network
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog import OWN, find_definition
from ansible_collections.proximity.platform.plugins.plugin_utils.exports import inventory_of
from hypothesis import given
from hypothesis import strategies as st

TEXT = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x17F, blacklist_characters="\x7f\x85")).filter(
    lambda text: text[-1:] != "\\"
)


@given(st.dictionaries(st.from_regex(r"[A-Z][A-Z0-9_]{0,8}", fullmatch=True), TEXT, max_size=5))
def test_what_was_written_to_an_env_file_is_read_again(values: dict[str, str]) -> None:
    assert read_dotenv(dotenv(values)) == values


def test_a_line_that_is_no_variable_is_refused_without_its_text() -> None:
    with pytest.raises(SpecError, match="Line 2") as told:
        read_dotenv("A=1\nhunter2\n")
    assert "hunter2" not in str(told.value)


@pytest.mark.parametrize(
    "network",
    [
        Network("vmbr0", "dhcp", "", 0, 0, False),
        Network("vmbr1", "192.0.2.40/24", "192.0.2.1", 7, 1400, True),
        Network("vmbr1", "192.0.2.40/24", "", 0, 0, True),
    ],
)
def test_a_network_that_is_told_is_the_one_that_there_is(network: Network) -> None:
    told, remarks = _network(GuestConfig(8100, network=network))
    wish = parse_network({key: value for key, value in told.items() if key not in ("dns", "search_domain")})
    managed = {key: value for key, value in vars(wish).items() if value is not None and key != "rest"}
    assert not remarks and {key: getattr(network, key) for key in managed} == managed
    assert ("gateway" in told) == (network.address != "dhcp"), "a site's default gateway must not be taken"


def test_an_address_that_no_wish_can_say_is_left_out_and_told() -> None:
    told, remarks = _network(GuestConfig(8100, network=Network("vmbr0", "manual", "")))
    assert told == {"bridge": "vmbr0"} and "manual" in remarks[0]


def app(name: str = "feeds", **more: Any) -> dict[str, Any]:
    wish = {"catalog_id": "miniflux", "state": "started", "node": "pve1"}
    return {"name": name, "vmid": 8100, "node": "pve1", "running": True, "version": "0", "revision": "0"} | {
        "environment": [],
        "wish": wish,
        "remarks": [],
        **more,
    }


def inventory(env: str, **more: Any) -> dict[str, Any]:
    looks = {"export-home-8100": {"rc": 0, "stdout": env}}
    return inventory_of({"home": {"apps": [app(**more)], "left_out": []}}, looks, [], more.pop("plain", ()))


@pytest.mark.parametrize(
    "hostile",
    ["{{ lookup('pipe', 'id') }}", "{% raw %}", "!vault |", "yes", "1.10", "a: b # c", "- x", "'\"", "\u2028x", "it's {{ x }}"],
)
def test_what_a_container_says_is_data(hostile: str) -> None:
    """It is never a template, a tag or another type in the file, whoever wrote it into the container or its record."""
    given = app()["wish"] | {"owner": hostile}
    text = inventory("", wish=given, remarks=[f"A remark\nof: {hostile}\nproximity_apps: {{}}"])["text"]

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!unsafe", lambda _loader, node: ("unsafe", node.value))
    said = yaml.load(text, Loader)["at_home"]["hosts"]["feeds"]["app_owner"]
    assert said == (("unsafe", hostile) if "{{" in hostile or "{%" in hostile else hostile)
    assert all(line.startswith("    #") for line in text.splitlines() if "A remark" in line)


def test_a_damaged_env_file_is_told_and_nothing_of_it() -> None:
    text = inventory("hunter2\n")["text"]
    assert "hunter2" not in text and "What was chosen in it cannot be told" in text


def test_every_password_of_the_catalog_goes_to_the_vault() -> None:
    seen = 0
    for place in sorted(OWN.glob("*/entry.yml")):
        options = find_definition(place.parent.name, []).get("options") or {}
        passwords = {key: row["env"] for key, row in options.items() if row["type"] == "password"}
        if not passwords:
            continue
        env = "".join(f"{variable}=Never-shown-{number}\n" for number, variable in enumerate(passwords.values()))
        told = inventory(env, wish={"catalog_id": place.parent.name})
        assert "Never-shown" not in told["text"], place
        assert len(told["vault"]) == len(passwords), place
        assert set(re.findall(r"\{\{ (\w+) \}\}", told["text"])) == set(told["vault"])
        seen += len(passwords)
    assert seen >= 5
