"""A wish that makes no sense ends in one sentence, before anything is asked of Proxmox."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from ansible_collections.proximity.platform.plugins.module_utils.claims import PortRange
from ansible_collections.proximity.platform.plugins.module_utils.desired import DesiredApp, Timeouts
from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError
from ansible_collections.proximity.platform.plugins.module_utils.model import Network, Resources
from ansible_collections.proximity.platform.plugins.module_utils.spec import desired_app

DEFINITION = {
    "schema": 1,
    "id": "hello",
    "name": "Hello",
    "version": "1.0.0",
    "description": "Says hello to whoever asks for it.",
    "category": "test",
    "links": {"site": "https://example.org", "source": "https://example.org"},
    "architectures": ["amd64"],
    "options": {"greeting": {"env": "GREETING", "type": "string", "required": True, "help": "What it says."}},
    "health": {"type": "tcp", "port": 8080},
    "resources": {"recommended": {"cores": 1, "memory_mb": 256, "swap_mb": 0, "disk_gb": 2}},
    "compose": "services:\n  hello:\n    image: hello:1.0.0\n    environment:\n      GREETING: ${GREETING}\n      EXTRA: ${EXTRA:-}\n",
}
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"name": "a;rm -rf /"}, "The app's name 'a;rm -rf /' cannot be used: it takes 1 to 63 lower-case letters"),
    ({"name": "a" * 64}, "cannot be used: it takes 1 to 63"),
    ({"name": "-a"}, "no hyphen at either end"),
    ({"name": "Feeds"}, "lower-case letters"),
    ({"name": "feeds\n"}, "cannot be used"),
    ({"catalog_id": "hello"}, "Entry hello was not read from a catalog: use proximity_app as a task"),
    ({"catalog_id": "other", "definition": DEFINITION}, "The definition is of entry hello, not of catalog_id other"),
    ({"definition": DEFINITION}, "option greeting is required"),
    ({"definition": DEFINITION, "options": {"greeting": "hi", "nope": 1}}, "has no option nope"),
    ({"definition": DEFINITION, "options": {"greeting": "hi"}, "environment": {"NOPE": "1"}}, "compose.yml does not read NOPE"),
    ({"definition": {"id": "hello"}}, "Entry hello: "),
    ({"resources": {"memory_mb": "lots"}}, "resources.memory_mb is 'lots': give a whole number, 16 or more."),
    ({"resources": {"memory_mb": 8}}, "give a whole number, 16 or more"),
    ({"resources": {"cores": 0}}, "give a whole number, 1 or more"),
    ({"resources": {"swap_mb": True}}, "give a whole number, 0 or more"),
    ({"network": {"bridge": "vmbr0;ls"}}, "network.bridge is 'vmbr0;ls': give the name of a bridge, such as vmbr0."),
    ({"network": {"address": "10.0.0.5"}}, "network.address is '10.0.0.5', which is no host's address with its prefix"),
    ({"network": {"address": "10.0.0.5/33"}}, "give 'dhcp' or an IPv4 address with its prefix, such as 10.0.0.5/24."),
    ({"network": {"address": "10.0.0.0/24"}}, "which is no host's address"),
    ({"network": {"address": "10.0.0.255/24"}}, "which is no host's address"),
    ({"network": {"address": "10.0.0.5/24", "gateway": "10.0.1.1"}}, "network.gateway 10.0.1.1 is no other host of the subnet 10.0.0.0/24"),
    ({"network": {"address": "10.0.0.5/24", "gateway": "10.0.0.5"}}, "is no other host of the subnet"),
    ({"network": {"address": "10.0.0.5/24", "gateway": "gw"}}, "network.gateway is 'gw': give an IPv4 address, such as 10.0.0.1."),
    ({"network": {"address": "dhcp", "gateway": "10.0.0.1"}}, "a gateway needs an address with its prefix; DHCP brings its own."),
    ({"network": {"gateway": "10.0.0.1"}}, "network.address is not given"),
    ({"network": {"vlan": 4095}}, "network.vlan is 4095: give a number from 1 to 4094, or 0 for none."),
    ({"network": {"mtu": 100}}, "network.mtu is 100: give a number from 576 to 65535, or 0 for none."),
    ({"network": {"dns": ["one"]}}, "network.dns holds 'one': give addresses of name servers, such as 10.0.0.1."),
    ({"tags": ["Ümlaut"]}, "Tag 'Ümlaut' cannot be used"),
    ({"tags": ["proximity"]}, "Tag 'proximity' is one that Proximity sets itself: leave it out."),
    ({"tags": ["rev-0123456789"]}, "is one that Proximity sets itself"),
    ({"tags": ["x" * 100]}, "there is room for 120: use fewer or shorter ones."),
    (
        {"ssh_public_keys": ["-----BEGIN OPENSSH PRIVATE KEY-----"]},
        "in ssh_public_keys is no public key: give the whole line of a .pub file.",
    ),
    ({"port_range": {"public": "8100"}}, "port_range.public is '8100': give the first and the last port, such as 8100-8999."),
    ({"port_range": {"public": "8999-8100"}}, "give the first and the last port"),
    ({"port_range": {"internal": "9100-70000"}}, "port_range.internal is '9100-70000'"),
    ({"port_range": {"public": "8100-8199"}}, "public holds 100 ports and internal 900; give both the same length."),
    ({"port_range": {"public": "9000-9899"}}, "public and internal overlap; give them ports of their own."),
    ({"port_range": {"first_vmid": 99}}, "port_range.first_vmid is 99: Proxmox numbers guests from 100."),
    ({"port_range": {"public": "80-89", "internal": "90-99"}}, "port_range.first_vmid is 80"),
    ({"state": "restarted"}, "State restarted needs restarted_after"),
    ({"state": "started", "restarted_after": "2026-03-01T04:00:00Z"}, "restarted_after needs state restarted, and the state is started."),
    ({"state": "restarted", "restarted_after": "2026-03-01T04:00:00"}, "give a moment with its time zone, such as 2026-03-01T04:00:00Z."),
    ({"state": "restarted", "restarted_after": "yesterday"}, "restarted_after is 'yesterday'"),
    ({"timeouts": {"create_s": 0}}, "timeouts.create_s is 0: give seconds, 1 or more."),
]


DEFAULTS_REFUSED = [
    ({"resources": {"memory_mb": 8}}, "defaults.resources.memory_mb is '8': give a whole number, 16 or more."),
    ({"network": {"bridge": "a bridge"}}, "defaults.network.bridge is 'a bridge': give the name of a bridge, such as vmbr0."),
    ({"network": {"subnet": "10.0.0.5/24"}}, "defaults.network.subnet is '10.0.0.5/24': give an IPv4 network, such as 10.0.0.0/24"),
    ({"network": {"gateway": "10.0.0.1"}}, "there is no defaults.network.subnet: say which network it leads out of."),
    (
        {"network": {"subnet": "10.0.0.0/24", "gateway": "here"}},
        "defaults.network.gateway is 'here': give an IPv4 address, such as 10.0.0.1.",
    ),
    (
        {"network": {"subnet": "10.0.0.0/24", "gateway": "10.0.1.1"}},
        "defaults.network.gateway 10.0.1.1 is no host of defaults.network.subnet",
    ),
    ({"network": {"subnet": "10.0.0.0/24", "gateway": "10.0.0.255"}}, "10.0.0.255 is no host of defaults.network.subnet 10.0.0.0/24"),
    ({"network": {"dns": ["one.one"]}}, "defaults.network.dns holds 'one.one': give addresses of name servers, such as 10.0.0.1."),
    ({"network": {"vlan": 5000}}, "defaults.network.vlan is 5000: give a number from 1 to 4094, or 0 for none."),
]
REFUSED += [({"defaults": defaults}, sentence) for defaults, sentence in DEFAULTS_REFUSED]


@pytest.mark.parametrize(("params", "sentence"), REFUSED, ids=lambda value: "" if isinstance(value, dict) else value[:50])
def test_senseless_wish_is_refused(params: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SpecError) as refusal:
        desired_app({"name": "feeds", "state": "started", **params})
    assert sentence in str(refusal.value)


def test_what_is_not_given_is_not_managed() -> None:
    assert desired_app({"name": "feeds", "state": "started", "node": None, "tags": None, "network": None}) == DesiredApp("feeds")


def test_everything_given_is_understood() -> None:
    app = desired_app(
        {
            "name": "feeds",
            "state": "restarted",
            "restarted_after": "2026-03-01T04:00:00+02:00",
            "resources": {"memory_mb": 512, "cores": None},
            "network": {"address": "10.0.0.5/24", "gateway": "10.0.0.1", "vlan": 0, "dns": [], "firewall": False},
            "port_range": {"public": "20000-20009", "internal": "30000-30009", "first_vmid": 5000},
            "tags": ["b", "a", "b"],
            "ssh_public_keys": ["ssh-ed25519 AAAA me@here\n"],
            "timeouts": {"create_s": 5},
        }
    )
    assert app.restarted_after == datetime(2026, 3, 1, 2, tzinfo=UTC)
    assert app.resources == Resources(memory_mb=512)
    assert app.network == Network(address="10.0.0.5/24", gateway="10.0.0.1", vlan=0, firewall=False)
    assert app.nameservers == ()
    assert app.port_range == PortRange(5000, 10, 20000, 30000)
    assert app.port_range.ports(5003) == {"public": 20003, "internal": 30003}
    assert app.tags == ("a", "b")
    assert app.ssh_public_keys == ("ssh-ed25519 AAAA me@here",)
    assert app.timeouts == Timeouts(create_s=5)


def test_address_without_a_gateway_has_none() -> None:
    assert desired_app({"name": "feeds", "network": {"address": "10.0.0.5/24"}}).network.gateway == ""
    assert desired_app({"name": "feeds", "network": {"vlan": 7}}).network.gateway is None


@pytest.mark.parametrize(
    ("address", "gateway", "understood"),
    [
        ("10.0.0.5", None, ("10.0.0.5/24", "10.0.0.1")),
        ("10.0.0.5/24", None, ("10.0.0.5/24", "10.0.0.1")),
        ("10.0.0.5/24", "10.0.0.9", ("10.0.0.5/24", "10.0.0.9")),
        ("10.0.0.5/24", "", ("10.0.0.5/24", "")),
        ("10.0.0.5/16", None, ("10.0.0.5/16", "")),
        ("10.0.1.5/24", None, ("10.0.1.5/24", "")),
        ("dhcp", None, ("dhcp", "")),
        (None, None, (None, None)),
    ],
)
def test_address_of_the_default_subnet_is_completed(address: str | None, gateway: str | None, understood: tuple[str, str]) -> None:
    defaults = {"network": {"subnet": "10.0.0.0/24", "gateway": "10.0.0.1"}}
    network = desired_app({"name": "feeds", "network": {"address": address, "gateway": gateway}, "defaults": defaults}).network
    assert (network.address, network.gateway) == understood


def test_app_that_is_to_go_needs_no_options() -> None:
    app = desired_app({"name": "feeds", "state": "absent", "definition": DEFINITION})
    assert (app.entry, app.release) == ("hello", None)
    assert desired_app({"name": "feeds", "state": "absent", "catalog_id": "hello"}).entry == "hello"


def test_environment_gives_its_names_only() -> None:
    params = {
        "name": "feeds",
        "state": "started",
        "definition": DEFINITION,
        "options": {"greeting": "hi"},
        "environment": {"EXTRA": "hush-hush"},
    }
    app = desired_app(params)
    assert app.release
    assert app.release.environment == ("EXTRA",)
    assert "hush-hush" not in repr(app)


@pytest.mark.parametrize(
    ("source", "told"), [("", ""), ("catalog", ""), ("git.example.com/team/catalog@0123456789", "git.example.com/team/catalog@0123456789")]
)
def test_catalog_of_ones_own_is_named(source: str, told: str) -> None:
    app = desired_app({"name": "feeds", "options": {"greeting": "hi"}, "definition": {**DEFINITION, "source": source}})
    assert app.release
    assert app.release.catalog == told
