"""What is written to Proxmox reads back as what was meant."""

from __future__ import annotations

import string
from datetime import UTC, datetime

import pytest
from ansible_collections.proximity.platform.plugins.module_utils.model import Lease, Network, Notes, Record
from ansible_collections.proximity.platform.plugins.module_utils.resources.configs import (
    format_changes,
    format_network,
    parse_config,
    parse_network,
)
from ansible_collections.proximity.platform.plugins.module_utils.wire.notes import format_notes, format_record, parse_notes
from ansible_collections.proximity.platform.plugins.module_utils.wire.properties import format_properties, parse_properties
from ansible_collections.proximity.platform.plugins.module_utils.wire.sizes import format_size_mb, parse_size_mb
from ansible_collections.proximity.platform.plugins.module_utils.wire.tags import format_tags, parse_tags
from ansible_collections.proximity.platform.plugins.module_utils.wire.times import format_time, parse_time
from hypothesis import given
from hypothesis import strategies as st

moments = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1)).map(lambda moment: moment.replace(microsecond=0, tzinfo=UTC))
leases = st.builds(Lease, st.text(), st.text(), moments, st.integers(1, 99))
records = st.builds(
    Record,
    app=st.uuids().map(str),
    vmid=st.integers(100, 999_999_999),
    name=st.text(),
    entry=st.text(),
    status=st.text(),
    changed=moments,
    error=st.text(),
    owner=st.text(),
    ports=st.fixed_dictionaries({"public": st.integers(1, 65535), "internal": st.integers(1, 65535)}),
    environment=st.lists(st.text()).map(tuple),
    lease=st.none() | leases,
    adopted=st.none() | st.dictionaries(st.text(), st.integers()),
)
lines = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")).filter(
    lambda line: not line.startswith("<!-- proximity")
)
texts = st.lists(lines).map("\n".join)
words = st.text(string.ascii_lowercase + string.digits, min_size=1)


@given(records, texts, st.lists(lines).map(tuple), texts)
def test_notes_keep_the_record_and_the_users_text(record: Record, head: str, summary: tuple[str, ...], tail: str) -> None:
    head = head + "\n" if head and not head.endswith("\n") else head
    tail = tail.rstrip("\n")
    notes = Notes(head, summary, record, tail)
    assert parse_notes(format_notes(notes)) == notes
    assert parse_notes(format_notes(notes) + "\n") == notes, "Proxmox adds a line end"


@given(texts)
def test_notes_without_a_record_are_the_users(text: str) -> None:
    assert format_notes(parse_notes(text)) == text.removesuffix("\n")


def test_line_ends_of_windows_stay_in_the_users_text() -> None:
    record = Record("a", 8100, "feeds", "miniflux", "running", datetime(2026, 3, 1, tzinfo=UTC))
    notes = parse_notes("first\r\nsecond\r\n" + format_notes(Notes("", ("s",), record, "next\r\nlast")))
    assert (notes.head, notes.summary, notes.record, notes.tail) == ("first\r\nsecond\r\n", ("s",), record, "next\r\nlast")


@given(records)
def test_record_cannot_end_its_comment(record: Record) -> None:
    assert ">" not in format_record(record)
    assert "\n" not in format_record(record)


@pytest.mark.parametrize("line", ['{"schema":1}', '{"schema":2}', '{"schema":1,"vmid":"x"}', "{oops}"])
def test_damaged_record_is_told_and_not_raised(line: str) -> None:
    notes = parse_notes(f"mine\n<!-- proximity {line} -->")
    assert notes.record is None
    assert notes.damage
    assert notes.head == "mine\n"


@given(st.dictionaries(words, words))
def test_properties_round_trip(properties: dict[str, str]) -> None:
    assert parse_properties(format_properties(properties)) == properties


def test_default_key_stands_alone() -> None:
    text = "local-lxc:8100/vm-8100-disk-0.raw,size=2G"
    assert parse_properties(text, "volume") == {"volume": "local-lxc:8100/vm-8100-disk-0.raw", "size": "2G"}
    assert format_properties(parse_properties(text, "volume"), "volume") == text


@given(st.integers(1, 10**9))
def test_sizes_round_trip(size_mb: int) -> None:
    assert parse_size_mb(format_size_mb(size_mb)) == size_mb


@pytest.mark.parametrize(
    ("text", "size_mb"), [("8G", 8192), ("0.5G", 512), ("1124M", 1124), ("1T", 1048576), ("2097152", 2), ("2048K", 2), ("0", 0)]
)
def test_sizes_as_proxmox_spells_them(text: str, size_mb: int) -> None:
    assert parse_size_mb(text) == size_mb


@pytest.mark.parametrize("text", ["", "lots", "8 G", "-1G"])
def test_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no size"):
        parse_size_mb(text)


@given(st.sets(words))
def test_tags_round_trip(tags: set[str]) -> None:
    assert set(parse_tags(format_tags(tags))) == tags


def test_tags_are_split_as_proxmox_splits_them() -> None:
    assert parse_tags("b;A,c  a") == ("a", "b", "c")
    assert parse_tags(" ") == ()


@given(moments)
def test_times_round_trip(moment: datetime) -> None:
    assert parse_time(format_time(moment)) == moment


def test_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        parse_time("2026-03-01T04:00:00")


@given(
    st.builds(
        Network,
        bridge=words,
        address=st.sampled_from(["dhcp", "10.0.0.5/24"]),
        gateway=st.sampled_from(["", "10.0.0.1"]),
        vlan=st.integers(0, 4094),
        mtu=st.sampled_from([0, 1400]),
        firewall=st.booleans(),
        link_down=st.booleans(),
        rest=st.just({"name": "eth0", "hwaddr": "BC:24:11:00:00:01", "ip6": "auto"}),
    )
)
def test_network_round_trips(network: Network) -> None:
    assert parse_network(format_network(network)) == network


def test_what_became_empty_is_deleted_and_what_is_off_is_said() -> None:
    changes = {"onboot": False, "startup": "", "tags": (), "nameservers": (), "search_domain": "", "memory_mb": 512, "cores": 0}
    assert format_changes(changes) == {"onboot": 0, "memory": 512, "delete": "cores,nameserver,searchdomain,startup,tags"}


def test_config_without_optional_keys_reads_as_not_set() -> None:
    config = parse_config(8100, {"digest": "d", "lock": "create"})
    assert (config.cores, config.network.address, config.tags, config.onboot, config.lock) == (0, "", (), False, "create")
