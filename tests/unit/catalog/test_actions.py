# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What module proximity_catalog answers."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog import OWN
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog_actions import ACTIONS
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog_actions.look import catalog_rows

DEFAULTS: dict[str, Any] = {"catalog_paths": [], "rules": False, "overwrite": False, "ask_registry": True, "majors": False}


def params(**given: Any) -> dict[str, Any]:
    """Parameters as the action hands them on."""
    return {**DEFAULTS, **given}


def answer(action: str, **given: Any) -> dict[str, Any]:
    return ACTIONS[action](params(**given)).answer


def ids(action: str, **given: Any) -> list[str]:
    return [row["id"] for row in answer(action, **given)["entries"]]


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A catalog of one's own: miniflux under its name, and another app that is broken."""
    shutil.copytree(OWN / "miniflux", tmp_path / "own/miniflux")
    shutil.copytree(OWN / "memos", tmp_path / "own/notes")
    return tmp_path / "own"


class TestList:
    def test_all(self) -> None:
        assert len(ids("list")) >= 100 and ids("list") == sorted(ids("list"))

    def test_a_summary_says_what_people_choose_by(self) -> None:
        (row,) = [row for row in answer("list")["entries"] if row["id"] == "miniflux"]
        assert row["name"] == "Miniflux" and row["web_port"] == 8080 and row["services"] == ["db", "miniflux"]
        assert row["resources"] == {"cores": 1, "memory_mb": 512, "swap_mb": 512, "disk_gb": 6}
        assert (row["source"], row["custom"], row["unproven"]) == ("catalog", False, ["resources"])

    def test_what_comes_from_elsewhere_says_so(self, own: Path) -> None:
        (row,) = [row for row in answer("list", catalog_paths=[str(own)])["entries"] if row["id"] == "miniflux"]
        assert (row["source"], row["custom"]) == (str(own), True)

    def test_a_broken_entry_does_not_hide_the_others(self, own: Path) -> None:
        found = answer("list", catalog_paths=[str(own)])
        assert [row["id"] for row in found["broken"]] == ["notes"]
        assert found["broken"][0]["mistakes"] == [f"{own}/notes/entry.yml:3: id: 'memos' differs from the folder's name notes"]
        assert len(found["entries"]) == len(ids("list"))

    @pytest.mark.parametrize(
        ("wanted", "some", "none"),
        [
            ({"category": "database"}, "mariadb", "miniflux"),
            ({"tags": ["rss"]}, "miniflux", "mariadb"),
            ({"architecture": "arm64"}, "miniflux", "plausible-nothing"),
            ({"memory_mb": 300}, "memos", "immich"),
            ({"without": ["tun"]}, "miniflux", "wg-easy"),
            ({"custom": False}, "miniflux", "notes"),
        ],
    )
    def test_filters(self, wanted: dict[str, Any], some: str, none: str) -> None:
        found = ids("list", filter=wanted)
        assert some in found and none not in found

    def test_filters_are_all_to_be_met(self) -> None:
        assert ids("list", filter={"category": "feeds", "tags": ["rss"], "memory_mb": 256}) == ["freshrss", "miniflux"]

    @pytest.mark.parametrize("wanted", [{"category": "feed"}, {"tags": ["rsss"]}])
    def test_a_misspelt_filter_is_told(self, wanted: dict[str, Any]) -> None:
        with pytest.raises(SpecError, match=r"did you mean (feeds|rss)"):
            answer("list", filter=wanted)

    def test_ids_that_are_wanted_must_be_there(self) -> None:
        assert ids("list", ids=["memos", "miniflux"]) == ["memos", "miniflux"]
        with pytest.raises(SpecError, match="did you mean miniflux"):
            answer("list", ids=["minflux"])


class TestGet:
    def test_the_whole_entry(self, own: Path) -> None:
        (entry,) = answer("get", ids=["miniflux"], catalog_paths=[str(own)])["entries"]
        assert entry["source"] == str(own) and "services:" in entry["compose"] and entry["secrets"]["DB_PASSWORD"]["kind"] == "alnum"


class TestSearch:
    @pytest.mark.parametrize(
        ("query", "first"),
        [
            ("photos", "immich"),
            ("feed keyboard", "miniflux"),
            ("miniflux", "miniflux"),
            ("zigbee", "zigbee2mqtt"),
            ("passwords", "vaultwarden"),
        ],
    )
    def test_the_best_is_the_first(self, query: str, first: str) -> None:
        assert ids("search", query=query)[0] == first

    def test_every_word_must_be_found(self) -> None:
        assert ids("search", query="rss photos") == []

    def test_only_what_the_filter_leaves(self) -> None:
        assert "immich" not in ids("search", query="photos", filter={"memory_mb": 2048})

    def test_an_empty_query_is_refused(self) -> None:
        with pytest.raises(SpecError, match="no word to look for"):
            answer("search", query="  ")


class TestFigures:
    def test_categories(self) -> None:
        found = answer("categories")["categories"]
        assert found["feeds"] == ["freshrss", "miniflux"] and list(found) == sorted(found)
        assert sum(map(len, found.values())) == len(ids("list"))

    def test_statistics(self, own: Path) -> None:
        found = answer("statistics", catalog_paths=[str(own)])["statistics"]
        assert found["entries"] == sum(found["by_category"].values()) == sum(found["by_source"].values()) >= 100
        assert (found["custom"], found["by_source"][str(own)]) == (1, 1)
        assert found["services"] > found["entries"] and found["images_with_digest"] <= found["images"]
        assert found["recommended"]["memory_mb"] > 100_000
        assert answer("statistics", filter={"category": "feeds"})["statistics"]["entries"] == 2


class TestValidate:
    def test_the_own_catalog_is_right(self) -> None:
        outcome = ACTIONS["validate"](params())
        assert (outcome.failure, outcome.answer["mistakes"], outcome.answer["advice"]) == ("", [], [])
        assert outcome.answer["checked"] >= 100

    def test_a_mistake_has_file_line_and_text(self, own: Path) -> None:
        outcome = ACTIONS["validate"](params(catalog_paths=[str(own)]))
        file, text = str(own / "notes/entry.yml"), "id: 'memos' differs from the folder's name notes"
        assert outcome.answer["mistakes"] == [{"file": file, "line": 3, "text": text}]
        assert outcome.failure.endswith(f"\n{file}:3: {text}") and outcome.failure.startswith("Mistakes (1; entries checked: ")
        assert outcome.answer["shadowed"] == {"miniflux": [str(own), "catalog"]}

    def test_rules_are_advice_for_a_catalog_of_ones_own(self, own: Path) -> None:
        compose = own / "miniflux/compose.yml"
        compose.write_text(compose.read_text().replace("postgres:17.11-bookworm", "postgres:latest"))
        entry = own / "miniflux/entry.yml"
        entry.write_text(entry.read_text().replace(r", db: ^\d+\.\d+-bookworm$", ""))
        given = {"catalog_paths": [str(own)], "ids": ["miniflux"]}
        outcome = ACTIONS["validate"](params(**given))
        assert not outcome.failure
        assert [row["text"] for row in outcome.answer["advice"]] == [
            "services.db.image: postgres:latest moves; pin a version, or a digest where there is none"
        ]
        assert "postgres:latest moves" in ACTIONS["validate"](params(**given, rules=True)).failure

    def test_a_missing_file_has_a_place_too(self, own: Path) -> None:
        (own / "miniflux/compose.yml").unlink()
        found = ACTIONS["validate"](params(catalog_paths=[str(own)], ids=["miniflux"])).answer["mistakes"]
        assert found == [{"file": str(own / "miniflux/compose.yml"), "line": 1, "text": "the file is missing"}]

    def test_an_unknown_id_is_told(self) -> None:
        with pytest.raises(SpecError, match="There is no entry 'nope'"):
            answer("validate", ids=["nope"])


class TestCatalogs:
    def test_they_are_told_in_their_order(self, own: Path) -> None:
        rows = catalog_rows([str(own)])
        assert [(row["source"], row["kind"]) for row in rows] == [(str(own), "folder"), ("catalog", "own")]

    def test_the_own_one_named_is_not_there_twice(self) -> None:
        assert [row["kind"] for row in catalog_rows([str(OWN)])] == ["own"]

    def test_a_checkout_may_have_its_entries_in_a_folder(self, own: Path, tmp_path: Path) -> None:
        (tmp_path / "checkout").mkdir()
        own.rename(tmp_path / "checkout/catalog")
        assert catalog_rows([str(tmp_path / "checkout")])[0]["folder"] == str(tmp_path / "checkout/catalog")
