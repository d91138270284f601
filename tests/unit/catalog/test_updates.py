# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Newer images are found in a registry, and become a change of the entry that still holds together."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog import OWN, inspect_entry
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog_actions import ACTIONS
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog_actions.look import Outcome
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog_actions.renew import must_hold
from ansible_collections.proximity.platform.plugins.plugin_utils.compose import image_parts
from ansible_collections.proximity.platform.plugins.plugin_utils.updates.compare import LOCK, read_lock
from unit.catalog.small_registry import SmallRegistry, small_registry
from unit.catalog.test_actions import params

HOSTS = ("docker.io", "ghcr.io", "quay.io")


@pytest.fixture
def hub() -> Iterator[SmallRegistry]:
    with small_registry() as registry:
        yield registry


@pytest.fixture
def own(tmp_path: Path, hub: SmallRegistry) -> Path:
    """A catalog with copies of three entries, and a registry that has what they pin."""
    for name in ("miniflux", "immich", "excalidraw"):
        shutil.copytree(OWN / name, tmp_path / "own" / name)
        for image in inspect_entry(OWN / name)[0]["services"].values():
            image_name, tag, _digest = image_parts(image)
            hub.add(_repository(image_name), tag)
    return tmp_path / "own"


def _repository(name: str) -> str:
    parts = name.split("/")
    return "/".join(parts[1:]) if "." in parts[0] else name if len(parts) > 1 else f"library/{name}"


def deed(action: str, own: Path, hub: SmallRegistry, *ids: str, **more: Any) -> Outcome:
    registries = [{"name": host, "url": hub.url} for host in HOSTS]
    return ACTIONS[action](params(catalog_paths=[str(own)], ids=list(ids) or None, registries=registries, **more))


def write(outcome: Outcome) -> None:
    for path, text in outcome.files.items():
        path.write_text(text)


def row_of(outcome: Outcome, service: str) -> dict[str, Any]:
    (row,) = [row for row in outcome.answer["updates"] if service in row["services"]]
    return dict(row)


def test_nothing_newer_is_said_so(own: Path, hub: SmallRegistry) -> None:
    outcome = deed("updates", own, hub, "miniflux")
    assert [(row["tag"], row["new_tag"], row["change"]) for row in outcome.answer["updates"]] == [
        ("2.3.3", "2.3.3", None),
        ("17.11-bookworm", "17.11-bookworm", None),
    ]
    assert not outcome.failure and not outcome.files


def test_a_newer_tag_is_written_with_version_and_lock(own: Path, hub: SmallRegistry) -> None:
    hub.add("miniflux/miniflux", "2.3.4", "2.4.0", "2.4.1-rc1", "latest")
    hub.add("library/postgres", "17.12-bookworm", "18.0-bookworm", "17.13-alpine")
    outcome = deed("update", own, hub, "miniflux")
    write(outcome)
    definition, mistakes = inspect_entry(own / "miniflux", house_rules=True)
    assert mistakes == []
    assert definition["services"] == {"miniflux": "miniflux/miniflux:2.4.0", "db": "postgres:17.12-bookworm"}
    assert definition["version"] == "2.4.0"
    assert row_of(outcome, "db")["held"] == "18.0-bookworm"
    lock = read_lock(own)
    assert lock["miniflux/miniflux:2.4.0"] == hub.digest("miniflux/miniflux", "2.4.0")
    assert "miniflux/miniflux:2.3.3" not in lock and "postgres:17.11-bookworm" not in lock
    assert deed("update", own, hub, "miniflux").files == {own / LOCK: (own / LOCK).read_text()}


def test_only_the_lines_of_the_images_and_the_version_change(own: Path, hub: SmallRegistry) -> None:
    hub.add("miniflux/miniflux", "2.4.0")
    before = (own / "miniflux/compose.yml").read_text().split("\n")
    outcome = deed("update", own, hub, "miniflux")
    after = outcome.files[own / "miniflux/compose.yml"].split("\n")
    assert [new for old, new in zip(before, after, strict=True) if old != new] == ["    image: miniflux/miniflux:2.4.0"]


def test_a_major_is_taken_on_request(own: Path, hub: SmallRegistry) -> None:
    hub.add("library/postgres", "18.0-bookworm")
    assert row_of(deed("updates", own, hub, "miniflux"), "db")["change"] is None
    row = row_of(deed("updates", own, hub, "miniflux", majors=True), "db")
    assert (row["change"], row["new_tag"], row["major"]) == ("tag", "18.0-bookworm", True)


def test_images_of_one_release_move_together(own: Path, hub: SmallRegistry) -> None:
    hub.add("immich-app/immich-server", "v3.1.1", "v3.1.2")
    hub.add("immich-app/immich-machine-learning", "v3.1.1")
    outcome = deed("update", own, hub, "immich")
    assert {row_of(outcome, service)["new_tag"] for service in ("server", "machine-learning")} == {"v3.1.1"}
    write(outcome)
    services = inspect_entry(own / "immich")[0]["services"]
    digest = hub.digest("immich-app/immich-server", "v3.1.1")
    assert services["server"] == f"ghcr.io/immich-app/immich-server:v3.1.1@{digest}"


def test_a_pinned_digest_follows_its_tag(own: Path, hub: SmallRegistry) -> None:
    """Excalidraw has no versions: its digest is all there is, and its version is the beginning of that."""
    outcome = deed("update", own, hub, "excalidraw")
    write(outcome)
    definition, mistakes = inspect_entry(own / "excalidraw", house_rules=True)
    digest = hub.digest("excalidraw/excalidraw", "latest")
    assert (mistakes, row_of(outcome, "excalidraw")["change"]) == ([], "digest")
    assert definition["services"]["excalidraw"] == f"excalidraw/excalidraw:latest@{digest}"
    assert definition["version"] == digest[7:19]


def test_a_tag_that_moved_since_it_was_locked_is_told(own: Path, hub: SmallRegistry) -> None:
    write(deed("lock", own, hub, ask_registry=True))
    assert not any(row["moved"] for row in deed("updates", own, hub, "miniflux").answer["updates"])
    hub.add("library/postgres", "17.11-bookworm", config={"Labels": {"rebuilt": "yes"}})
    outcome = deed("updates", own, hub, "miniflux")
    assert row_of(outcome, "db")["moved"] and not row_of(outcome, "miniflux")["moved"]


def test_a_lock_holds_each_image_once(own: Path, hub: SmallRegistry) -> None:
    outcome = deed("lock", own, hub, ask_registry=True)
    lock = yaml.safe_load(outcome.files[own / LOCK])
    assert lock["schema"] == 1 and list(lock["images"]) == sorted(lock["images"])
    assert lock["images"]["miniflux/miniflux:2.3.3"] == hub.digest("miniflux/miniflux", "2.3.3")
    assert lock["images"]["ghcr.io/immich-app/immich-server:v3.1.0"].startswith("sha256:b434cb")
    without = deed("lock", own, hub, ask_registry=False)
    assert yaml.safe_load(without.files[own / LOCK])["images"]["miniflux/miniflux:2.3.3"] is None


def test_what_cannot_be_asked_is_told_and_the_rest_is_done(own: Path, hub: SmallRegistry) -> None:
    hub.add("miniflux/miniflux", "2.4.0")
    del hub.images["library/postgres"]
    outcome = deed("update", own, hub, "miniflux")
    assert outcome.failure.startswith(
        "Images that could not be asked for (1):\npostgres:17.11-bookworm: Asked docker.io for tags of library/postgres"
    )
    assert own / "miniflux/compose.yml" in outcome.files
    assert yaml.safe_load(outcome.files[own / LOCK])["images"]["postgres:17.11-bookworm"] is None
    del hub.images["miniflux/miniflux"]
    assert len(deed("lock", own, hub, ask_registry=True).answer["failures"]) == 2


def test_a_registry_that_is_away_does_not_keep_the_others(own: Path, hub: SmallRegistry) -> None:
    hub.add("miniflux/miniflux", "2.4.0")
    registries = [{"name": "docker.io", "url": hub.url}, {"name": "ghcr.io", "url": "http://127.0.0.1:9"}]
    outcome = ACTIONS["update"](params(catalog_paths=[str(own)], registries=registries))
    assert own / "miniflux/compose.yml" in outcome.files
    told = {row["image"].partition(":")[0]: row["error"] for row in outcome.answer["failures"]}
    assert set(told) == {"ghcr.io/immich-app/immich-server", "ghcr.io/immich-app/immich-machine-learning", "ghcr.io/immich-app/postgres"}
    assert all("no answer from 127.0.0.1" in text for text in told.values())


def test_notes_of_the_versions_on_the_way_are_told(own: Path, hub: SmallRegistry) -> None:
    with (own / "miniflux/entry.yml").open("a") as entry:
        entry.write("upgrade: [{version: 2.3.0, note: Long ago.}, {version: 2.4.0, note: Read this.}, {version: 2.5.0, note: Later.}]\n")
    hub.add("miniflux/miniflux", "2.4.2")
    assert row_of(deed("updates", own, hub, "miniflux"), "miniflux")["notes"] == ["2.4.0: Read this."]


def test_a_change_that_would_break_the_entry_is_refused(own: Path) -> None:
    compose = own / "miniflux/compose.yml"
    broken = compose.read_text().replace("miniflux/miniflux:2.3.3", "miniflux/miniflux:next")
    with pytest.raises(SpecError, match=rf"^{own}/miniflux/entry.yml:\d+: updates.tags.miniflux: .* does not match the pinned tag next$"):
        must_hold(own / "miniflux", {compose: broken})


def test_a_change_that_holds_is_let_through_with_the_files_of_the_entry(tmp_path: Path) -> None:
    shutil.copytree(OWN / "prometheus", tmp_path / "prometheus")
    compose = tmp_path / "prometheus/compose.yml"
    must_hold(compose.parent, {compose: compose.read_text() + "# another word\n"})


def test_a_catalog_with_a_broken_entry_is_not_written_to(own: Path, hub: SmallRegistry) -> None:
    """Its lock would lose the images of that entry."""
    (own / "immich/compose.yml").unlink()
    with pytest.raises(SpecError, match=rf"^{own}/immich/compose.yml: the file is missing$"):
        deed("update", own, hub, "miniflux")


def test_one_registry_is_asked_once_for_an_image_that_many_use(own: Path, hub: SmallRegistry) -> None:
    shutil.copytree(OWN / "n8n", own / "n8n")
    hub.add("n8nio/n8n", "2.36.5")
    deed("updates", own, hub, "miniflux", "n8n")
    assert sum("library/postgres/tags" in row for row in hub.asked) == 1


def test_without_a_named_catalog_nothing_is_written(own: Path, hub: SmallRegistry) -> None:
    for action in ("update", "lock"):
        with pytest.raises(SpecError, match="Say in catalog_paths which catalog to write to"):
            ACTIONS[action](params())
    assert not (own / LOCK).exists()


def test_a_broken_lock_is_told(own: Path, hub: SmallRegistry) -> None:
    (own / LOCK).write_text("images: []\n")
    with pytest.raises(SpecError, match=r"lock.yml:1: expected schema 1 and a mapping of images"):
        deed("updates", own, hub, "miniflux")


class TestOwnLock:
    lock = read_lock(OWN)

    def test_it_holds_every_image_of_the_catalog_and_no_other(self) -> None:
        images = [
            image_parts(image) for folder in OWN.glob("*/entry.yml") for image in inspect_entry(folder.parent)[0]["services"].values()
        ]
        assert set(self.lock) == {f"{name}:{tag}" for name, tag, _digest in images}
        assert {f"{name}:{tag}": digest for name, tag, digest in images if digest}.items() <= self.lock.items()
