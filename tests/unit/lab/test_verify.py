"""Parameters are verified in Proxmox's words (BEHAVIOUR.md of the conformance kit)."""

from __future__ import annotations

from typing import Any

import pytest
from lab.errors import Refusal
from lab.schema.formats import FormatError, parse_size, print_size
from lab.schema.table import load_table
from lab.schema.verify import MISSING, UNKNOWN, parse_properties, print_properties, verify

TABLE = load_table(9)
CONFIG = TABLE.options()


def errors_of(given: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(Refusal) as refusal:
        verify(TABLE, CONFIG, {"node": "pve", "vmid": "100", **given})
    assert refusal.value.status == 400
    return dict(refusal.value.errors or {})


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"memory": "abc"}, "type check ('integer') failed - got 'abc'"),
        ({"memory": " 300"}, "type check ('integer') failed - got ' 300'"),
        ({"memory": "512.5"}, "type check ('integer') failed - got '512.5'"),
        ({"memory": ["64", "64"]}, "type check ('integer') failed - got ARRAY"),
        ({"memory": {"a": 1}}, "type check ('integer') failed - got HASH"),
        ({"memory": "15"}, "value must have a minimum value of 16"),
        ({"cores": "8193"}, "value must have a maximum value of 8192"),
        ({"onboot": "true"}, "type check ('boolean') failed - got 'true'"),
        ({"onboot": ""}, "type check ('boolean') failed - got ''"),
        ({"cpulimit": "fast"}, "type check ('number') failed - got 'fast'"),
        ({"digest": "0" * 41}, "value may only be 40 characters long"),
        ({"net32": "name=eth0"}, UNKNOWN),
        ({"net01": "name=eth0"}, UNKNOWN),
        ({"lxc.foo": "1"}, UNKNOWN),
        ({"cmode": "x"}, "value 'x' does not have a value in the enumeration 'shell, console, tty'"),
        ({"tags": "a=b"}, "invalid format - invalid characters in tag\n"),
        ({"net0": "garbage"}, "invalid format - value without key, but schema does not define a default key\n"),
        ({"net0": ""}, f"invalid format - format error\nnet0.name: {MISSING}\n"),
        ({"net0": "name=a,name=b"}, "invalid format - duplicate key in comma-separated list property: name\n"),
        ({"nameserver": "1.1.1.1 x"}, "invalid format - value does not look like a valid IP address\n"),
        ({"timezone": "Mars/Olympus"}, "invalid format - invalid time zone 'Mars/Olympus'\n"),
    ],
)
def test_a_wrong_value_is_refused(given: dict[str, Any], text: str) -> None:
    assert errors_of(given) == {next(iter(given)): text}


def test_all_wrong_ones_are_told_at_once() -> None:
    assert set(errors_of({"foo": "1", "bar": "2", "memory": "x", "hostname": "a_b"})) == {"foo", "bar", "memory", "hostname"}


def test_missing_and_dependent_parameters() -> None:
    spec = TABLE.calls["POST", "/nodes/{node}/lxc"]
    with pytest.raises(Refusal) as refusal:
        verify(TABLE, spec, {"node": "pve", "unique": "1"})
    assert refusal.value.errors == {"vmid": MISSING, "ostemplate": MISSING, "restore": "missing property required by 'unique'"}


def test_values_come_typed() -> None:
    given = {"node": "pve", "vmid": "100", "memory": "+300", "onboot": True, "cpulimit": "1.5", "cores": 2, "description": None}
    found = verify(TABLE, CONFIG, given)
    assert found["memory"] == 300
    assert (found["onboot"], found["cpulimit"], found["cores"], found["description"]) == (1, "1.5", 2, " ")


def test_items_of_an_array_are_named_by_their_place() -> None:
    spec = TABLE.calls["POST", "/cluster/mapping/dir"]
    with pytest.raises(Refusal) as refusal:
        verify(TABLE, spec, {"id": "reg", "map": ["node=pve,path=/tmp", "node=pve"]})
    assert refusal.value.errors == {"map[1]": f"invalid format - format error\nmap[1].path: {MISSING}\n"}


def test_property_strings_are_written_in_order() -> None:
    found = parse_properties(TABLE, "ct-net", "tag=7,bridge=vmbr0,firewall=yes,name=eth0")
    assert print_properties(TABLE, "ct-net", found) == "name=eth0,bridge=vmbr0,firewall=1,tag=7"
    mount = parse_properties(TABLE, "ct-mount", "size=1G,local:1,backup=1,mp=/srv")
    assert print_properties(TABLE, "ct-mount", mount) == "local:1,mp=/srv,backup=1,size=1G"
    with pytest.raises(FormatError, match="missing key"):
        parse_properties(TABLE, "ct-net", "=x")


def test_versions_differ() -> None:
    assert CONFIG.param("entrypoint")
    assert load_table(8).options().param("entrypoint") is None


@pytest.mark.parametrize(("text", "size"), [("2G", 2 * 1024**3), ("0.5G", 512 * 1024**2), ("7", 7), ("x", None), ("1P", None)])
def test_sizes_are_read(text: str, size: int | None) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(("size", "text"), [(1024**3, "1G"), (1124 * 1024**2, "1124M"), (512, "512"), (0, "0")])
def test_sizes_are_written(size: int, text: str) -> None:
    assert print_size(size) == text
