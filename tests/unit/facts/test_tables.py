"""Tables for the terminal."""

from __future__ import annotations

from ansible_collections.proximity.platform.plugins.plugin_utils.tables import status_lines, table_lines


def test_columns_are_aligned_and_empty_ones_left_out() -> None:
    rows = [{"name": "a", "size": 5, "note": None}, {"name": "longer", "size": 50}]
    assert table_lines(rows, ["name", "size", "note"]) == ["NAME    SIZE", "a          5", "longer    50"]


def test_no_rows_are_no_table() -> None:
    assert table_lines([], ["name"]) == []


def test_a_cluster_that_did_not_answer() -> None:
    assert status_lines({"dead": {"failed": True, "msg": "cannot reach it"}}) == [
        "CLUSTER  STATE",
        "dead     not reached",
        "",
        "There is no app.",
        "",
        "dead - cannot reach it",
    ]
