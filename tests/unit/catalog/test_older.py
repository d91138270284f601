# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Apps in the predecessor's format, one JSON file each, are read as they are, and converted with a report."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.proximity.platform.plugins.module_utils.entries import parse_entry, stack_of
from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog import find_definition, inspect_entry, list_entries
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog_actions import ACTIONS, Outcome
from unit.catalog.test_actions import params

OLDER = Path(__file__).parent / "older"
IDS = ["docker-admin", "home-hub", "plain", "queue", "resolver-app", "shop", "watcher"]


def read(name: str) -> dict[str, Any]:
    return find_definition(name, [str(OLDER)])


class TestAsItIs:
    @pytest.mark.parametrize("name", IDS)
    def test_an_app_is_an_entry(self, name: str) -> None:
        definition = read(name)
        entry = parse_entry(definition)
        assert definition["source"].startswith(str(OLDER)) or "older" in definition["source"]
        assert stack_of(entry, {}, None, {"name": "one", "address": "192.0.2.7"})["services"]

    def test_what_lists_the_files_is_no_app(self) -> None:
        assert sorted(name for name, (source, _place) in list_entries([str(OLDER)]).items() if source != "catalog") == IDS

    def test_nothing_is_mended(self) -> None:
        compose = yaml.safe_load(read("watcher")["compose"])
        written = json.loads((OLDER / "watcher.json").read_text())["docker_compose"]
        assert compose == written
        assert yaml.safe_load(read("home-hub")["compose"])["services"]["hub"]["network_mode"] == "host"
        assert "shop_password@shop-db" in read("shop")["compose"]

    def test_what_the_file_says_is_taken(self) -> None:
        entry = parse_entry(read("shop"))
        assert (entry.id, entry.name, entry.version, entry.category, entry.tags) == ("shop", "Shop", "2.1", "business", ("shop",))
        assert entry.links == {"site": "https://shop.example.com"}
        assert (entry.resources.minimum.memory_mb, entry.resources.recommended.cores) == (1024, 2)
        assert entry.web is not None and (entry.web.service, entry.web.port) == ("shop", 3000)
        assert entry.volumes["shop_db"].kind == "db" and not entry.secrets

    def test_ids_categories_and_tags_get_a_form_that_is_accepted(self) -> None:
        assert parse_entry(read("resolver-app")).description == "Resolver: Names, as its image comes."
        plain = parse_entry(read("plain"))
        assert (plain.category, plain.tags, plain.links["site"]) == ("web-server", ("web", "static-pages"), "https://plain.example.com")

    def test_ports_on_the_guests_own_network_are_those_of_the_file(self) -> None:
        entry = parse_entry(read("home-hub"))
        assert entry.web is not None and (entry.web.port, entry.health.port) == (8123, 8123)
        assert entry.requirements == {"host_network": "required"}

    def test_ports_are_told_apart(self) -> None:
        entry = parse_entry(read("resolver-app"))
        assert entry.web is not None and entry.web.port == 4000
        assert [(port.name, port.port, port.protocol) for port in entry.ports] == [("dns", 53, "tcp"), ("dns", 53, "udp")]
        queue = parse_entry(read("queue"))
        assert [port.port for port in queue.ports] == [9000, 9001] and queue.web is not None and queue.web.port == 8080
        docker = parse_entry(read("docker-admin"))
        assert docker.web is not None and docker.web.scheme == "https" and docker.requirements == {"docker_socket": "required"}

    def test_variables_without_a_value_are_options_and_secrets(self) -> None:
        entry = parse_entry(read("queue"))
        assert list(entry.secrets) == ["ADMIN_PASSWORD"] and list(entry.options) == ["mode"]

    def test_what_is_guessed_is_unproven(self) -> None:
        assert {"web", "health", "volumes", "links.site", "compose.services.store.healthcheck"} <= set(read("queue")["unproven"])

    def test_a_folder_of_that_id_comes_first(self, tmp_path: Path) -> None:
        shutil.copy(OLDER / "shop.json", tmp_path / "shop.json")
        convert("shop", tmp_path)
        assert list_entries([str(tmp_path)])["shop"][1] == tmp_path / "shop"

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ('{"id": "bad",\n "docker_compose": {', "bad.json:2: is not JSON: "),
            ('{"id": 3, "docker_compose": {"services": {"a": {}}}}', "bad.json:1: id: expected text"),
            ('{"id": "bad", "docker_compose": {"services": []}}', "bad.json:1: docker_compose: expected a Compose file"),
            (
                '{"id": "bad", "docker_compose": {"services": {\n"a": {"build": "."}}}}',
                "bad.json:2: docker_compose.services.a: 'image' is missing",
            ),
            ('{"id": "bad",\n"docker_compose": {"services": {"a": {"image": "a:1"}}}}', "bad.json:1: 'health' is missing"),
            (
                '{"id": "bad",\n"docker_compose": {"services": {"a": {\n"image": "a:1", "ports": ["x:1"]}}}}',
                "bad.json:3: docker_compose.services.a.ports",
            ),
        ],
    )
    def test_a_mistake_names_file_and_line(self, tmp_path: Path, text: str, said: str) -> None:
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(SpecError) as caught:
            find_definition("bad", [str(tmp_path)])
        assert said in str(caught.value)

    def test_text_that_is_none_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "bad.json").write_bytes(b"\xff\xfe")
        with pytest.raises(SpecError, match="cannot be read as UTF-8"):
            find_definition("bad", [str(tmp_path)])


def convert(name: str | None, target: Path, **more: Any) -> Outcome:
    outcome = ACTIONS["convert"](params(source=str(OLDER), target=str(target), ids=[name] if name else None, **more))
    for path, text in outcome.files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return outcome


def kinds(outcome: Outcome, name: str) -> set[tuple[str, bool]]:
    (row,) = [row for row in outcome.answer["converted"] if row["id"] == name]
    return {(finding["kind"], finding["mended"]) for finding in row["findings"]}


class TestConverted:
    def test_all_of_them_become_folders_that_hold(self, tmp_path: Path) -> None:
        outcome = convert(None, tmp_path)
        assert [row["id"] for row in outcome.answer["converted"]] == IDS and not outcome.failure
        assert [mistakes for name in IDS if (mistakes := inspect_entry(tmp_path / name)[1])] == []

    def test_what_is_mended_leaves_only_what_a_person_must_decide(self, tmp_path: Path) -> None:
        convert(None, tmp_path)
        left = {name: {line.split(": ", 2)[-1][:24] for line in inspect_entry(tmp_path / name, house_rules=True)[1]} for name in IDS}
        assert left["shop"] == left["queue"] == left["resolver-app"] == set()
        assert left["watcher"] and left["plain"]

    @pytest.mark.parametrize(
        ("name", "found"),
        [
            ("plain", {("latest", False), ("restart", True), ("logs", True), ("obsolete", True)}),
            ("shop", {("secret", True), ("address", False)}),
            ("home-hub", {("host_network", True), ("guest_folder", True), ("latest", False)}),
            ("docker-admin", {("docker_socket", False), ("latest", False)}),
            ("watcher", {("privileged", False), ("walls", False), ("guest_folder", False), ("device", False)}),
            ("queue", {("secret", True), ("guest_folder", True), ("time_zone", True), ("restart", True)}),
        ],
    )
    def test_what_is_unsafe_is_found(self, tmp_path: Path, name: str, found: set[tuple[str, bool]]) -> None:
        assert found <= kinds(convert(name, tmp_path), name)

    def test_one_secret_stays_one_wherever_it_is_used(self, tmp_path: Path) -> None:
        outcome = convert("shop", tmp_path)
        compose, entry = (outcome.files[tmp_path / "shop" / name] for name in ("compose.yml", "entry.yml"))
        assert "shop_password" not in compose and "0123456789abcdef" not in compose + entry
        services = yaml.safe_load(compose)["services"]
        assert services["shop"]["environment"]["DATABASE_URL"] == "postgres://shop:${POSTGRES_PASSWORD}@shop-db:5432/shop"
        assert services["shop-db"]["environment"]["POSTGRES_PASSWORD"] == "${POSTGRES_PASSWORD}"
        secrets = yaml.safe_load(entry)["secrets"]
        assert secrets == {"SECRET_KEY": {"kind": "hex", "length": 32}, "POSTGRES_PASSWORD": {"kind": "alnum", "length": 32}}

    def test_a_secret_in_a_command_is_replaced_too(self, tmp_path: Path) -> None:
        text = convert("queue", tmp_path).files[tmp_path / "queue/compose.yml"]
        assert "sup3rs3cret" not in text and "--requirepass ${STORE_PASSWORD}" in text

    def test_what_users_were_meant_to_change_are_options(self, tmp_path: Path) -> None:
        entry = yaml.safe_load(convert("shop", tmp_path).files[tmp_path / "shop/entry.yml"])
        assert entry["options"]["shop_title"]["default"] == "My shop" and list(entry["options"]) == ["shop_title"]

    def test_converting_again_changes_nothing(self, tmp_path: Path) -> None:
        first = convert(None, tmp_path)
        assert convert(None, tmp_path).files == first.files

    def test_what_a_person_has_changed_is_not_replaced_unasked(self, tmp_path: Path) -> None:
        convert("plain", tmp_path)
        (tmp_path / "plain/entry.yml").write_text("mine")
        outcome = convert("plain", tmp_path)
        assert "plain/entry.yml is there already, and is another; set overwrite" in outcome.failure
        assert (tmp_path / "plain/entry.yml").read_text() == "mine"
        convert("plain", tmp_path, overwrite=True)
        assert (tmp_path / "plain/entry.yml").read_text() != "mine"

    def test_the_report_is_a_page(self, tmp_path: Path) -> None:
        outcome = convert(None, tmp_path, report=str(tmp_path / "report.md"))
        page = outcome.files[tmp_path / "report.md"]
        assert page == outcome.answer["report"] and "7 apps were converted, 0 were not." in page
        assert "- privileged, `services.watcher.privileged`: the service is root of the guest" in page
        assert "shop_password" not in page and "sup3rs3cret" not in page

    def test_one_that_cannot_be_does_not_keep_the_others(self, tmp_path: Path) -> None:
        shutil.copytree(OLDER, tmp_path / "apps")
        (tmp_path / "apps/none.json").write_text('{"id": "none", "docker_compose": {"services": {"a": {"image": "a:1"}}}}')
        (tmp_path / "apps/torn.json").write_text("{")
        outcome = ACTIONS["convert"](params(source=str(tmp_path / "apps"), target=str(tmp_path / "new")))
        assert len(outcome.answer["converted"]) == len(IDS)
        assert "none/entry.yml:2: 'health' is missing" in outcome.failure and "torn.json:1: is not JSON" in outcome.failure
        assert "2 were not" in outcome.answer["report"]

    def test_a_single_file_may_be_named(self, tmp_path: Path) -> None:
        outcome = ACTIONS["convert"](params(source=str(OLDER / "plain.json"), target=str(tmp_path)))
        assert [row["id"] for row in outcome.answer["converted"]] == ["plain"]

    @pytest.mark.parametrize(
        ("source", "ids"), [("/nowhere", None), (str(OLDER.parent), None), (str(OLDER), ["nope"]), (str(OLDER / "index.json"), None)]
    )
    def test_where_nothing_is_that_is_told(self, tmp_path: Path, source: str, ids: list[str] | None) -> None:
        with pytest.raises(SpecError, match=r"neither a file nor a folder|holds no app in the older format"):
            ACTIONS["convert"](params(source=source, target=str(tmp_path), ids=ids))
