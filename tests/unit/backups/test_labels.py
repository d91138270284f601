"""The notes of backups: what stands in them comes back, whatever it is; what is not ours is nobody's."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from ansible_collections.proximity.platform.plugins.module_utils.archives import Label
from ansible_collections.proximity.platform.plugins.module_utils.resources.archives import NOTES_LIMIT, fitting_notes, template_of
from ansible_collections.proximity.platform.plugins.module_utils.wire.labels import format_label, format_notes, parse_label, with_label
from lab.notes import check_template, fill_template

PLAIN = Label("5d0f", "feeds", 8123, "miniflux", "2.2.1", "0123456789")
LABELS = [
    PLAIN,
    Label("5d0f", "feeds", 8123),
    Label("5d0f", "feeds", 8123, owner="Anna & Ben = {{vmid}} \\n äöü 100%", kind="safety", of="local:backup/x.tar.zst", run="px-safety-1"),
    Label("5d0f", "feeds", 8123, order=7, excluded=("mp0", "mp1"), proven=datetime(2026, 3, 1, 12, tzinfo=UTC), verdict="ok"),
]


@pytest.mark.parametrize("label", LABELS)
def test_a_label_comes_back(label: Label) -> None:
    assert parse_label(format_label(label)) == label
    assert parse_label(format_notes(label, "text\nof the user")) == label


@pytest.mark.parametrize("label", LABELS)
def test_proxmox_makes_of_the_template_what_was_meant(label: Label) -> None:
    notes = format_notes(label, "two\nlines, and a \\ too")
    template = template_of(notes)
    check_template(template)
    assert "\n" not in template
    assert fill_template(template, {"vmid": 1, "guestname": "x"}) == notes
    assert parse_label(fill_template(template, {"vmid": 1})) == label


def test_users_text_is_no_template() -> None:
    check_template(template := template_of(format_notes(PLAIN, "not {{vmid}} nor {{bogus}}")))
    assert "{{" not in fill_template(template, {"vmid": 1})


@pytest.mark.parametrize(
    "notes", ["", "miniflux", "proximity", "proximity app=x name=y", "proximity app=x vmid=7", "proximity app=x name=y vmid=z"]
)
def test_what_is_not_ours_is_nobodys(notes: str) -> None:
    assert parse_label(notes) is None


def test_what_a_newer_version_says_is_left_alone() -> None:
    assert parse_label(f"{format_label(PLAIN)} newer=thing") == PLAIN


def test_another_label_leaves_the_rest() -> None:
    notes = format_notes(PLAIN, "text\nof the user")
    assert with_label(notes, LABELS[3]).split("\n")[1:] == notes.split("\n")[1:]


@pytest.mark.parametrize("text", ["x" * 400, "\n" * 400, "\\" * 400, "{" * 400])
def test_notes_fit_and_keep_their_label(text: str) -> None:
    label = Label("5d0f1f3e-0000-4000-8000-000000000000", "n" * 63, 8123, "e" * 39, "v" * 63, "0123456789", "owner" * 8)
    notes = fitting_notes(label, text)
    assert len(template_of(notes)) <= NOTES_LIMIT
    assert parse_label(notes) == label
