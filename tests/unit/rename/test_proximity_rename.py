# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A copy gets its own name, and its data come along, wherever the work is cut off."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from ansible_collections.proximity.platform.plugins.modules import proximity_rename as module

HERE = Path(__file__).parent
ENV = """APP_ADDRESS=10.0.0.9
APP_AUTHORITY=10.0.0.9:8080
APP_HOST=10.0.0.9
APP_NAME=feeds
APP_URL=http://10.0.0.9:8080
GREETING='from 10.0.0.9'
"""
SECRETS = "DB_PASSWORD=keep-me\nSESSION_KEY=old-one\n"


class Guest:
    """A guest with a copy of `feeds` in it: two services, two volumes, one of them elsewhere, and one with a name of its own."""

    def __init__(self, folder: Path) -> None:
        self.docker, self.root = folder / "docker", folder / "opt"
        for kind in ("containers", "networks", "volumes"):
            (self.docker / kind).mkdir(parents=True)
        labels = {"com.docker.compose.project": "feeds"}
        for name in ("feeds-web-1", "feeds-db-1"):
            (self.docker / "containers" / f"{name}.json").write_text(json.dumps({"Labels": labels, "Running": True}))
        (self.docker / "networks" / "feeds_default.json").write_text(json.dumps({"Labels": labels}))
        self._volume("feeds_data", {**labels, "com.docker.compose.volume": "data", "com.docker.compose.config-hash": "old"}, None)
        self._volume("feeds_media", labels, {"type": "none", "o": "bind", "device": f"{self.root}/feeds/media"})
        self._volume("shelf", labels, None)
        self._volume("other_data", {"com.docker.compose.project": "other"}, None)
        stack = self.root / "feeds"
        (stack / "media").mkdir(parents=True)
        for name, text in {"compose.yml": "services: {}\n", ".env": ENV, "secrets.env": SECRETS, "media/film": "a film"}.items():
            (stack / name).write_text(text)
        (stack / ".env").chmod(0o600)
        (stack / "secrets.env").chmod(0o600)

    def _volume(self, name: str, labels: dict[str, str], options: dict[str, str] | None) -> None:
        data = self.docker / "volumes" / name / "_data"
        data.mkdir(parents=True)
        if options is None:
            (data / "rows").write_text(f"rows of {name}")
            data.chmod(0o700)
        said = {"Driver": "local", "Labels": labels, "Options": options, "Mountpoint": str(data), "Name": name}
        (self.docker / "volumes" / f"{name}.json").write_text(json.dumps(said))

    def volume(self, name: str) -> dict[str, object]:
        return dict(json.loads((self.docker / "volumes" / f"{name}.json").read_text()))

    def data(self, name: str) -> Path:
        return self.docker / "volumes" / name / "_data"

    def names(self, kind: str) -> list[str]:
        return sorted(file.stem for file in (self.docker / kind).glob("*.json"))


@pytest.fixture
def guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Guest:
    made, programs = Guest(tmp_path), tmp_path / "bin"
    programs.mkdir()
    (programs / "docker").write_text(f"#!{sys.executable} -IS\n{(HERE / 'docker.py').read_text()}")
    (programs / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    monkeypatch.setenv("DOCKER_HOME", str(made.docker))
    return made


def _rename(guest: Guest, dry: bool = False, forget: tuple[str, ...] = (), address: str = "10.0.0.21") -> list[str]:
    return module.rename(module.Copy("feeds", "feeds-test", guest.root, address, forget), dry)


def _assert_renamed(guest: Guest) -> None:
    assert (guest.names("containers"), guest.names("networks")) == ([], [])
    assert guest.names("volumes") == ["feeds-test_data", "feeds-test_media", "other_data", "shelf"]
    assert (guest.data("feeds-test_data") / "rows").read_text() == "rows of feeds_data"
    assert guest.data("feeds-test_data").stat().st_mode & 0o777 == 0o700
    assert guest.volume("feeds-test_data")["Labels"] == {"com.docker.compose.project": "feeds-test", "com.docker.compose.volume": "data"}
    assert guest.volume("feeds-test_media")["Options"]["device"] == f"{guest.root}/feeds-test/media"  # type: ignore[index]
    assert (guest.data("shelf") / "rows").read_text() == "rows of shelf"
    stack = guest.root / "feeds-test"
    assert sorted(each.name for each in guest.root.iterdir()) == ["feeds-test"]
    assert (stack / "media" / "film").read_text() == "a film"
    assert (stack / ".env").read_text() == ENV.replace("10.0.0.9", "10.0.0.21").replace("from 10.0.0.21", "from 10.0.0.9").replace(
        "=feeds", "=feeds-test"
    )
    assert ((stack / ".env").stat().st_mode & 0o777, (stack / "secrets.env").stat().st_mode & 0o777) == (0o600, 0o600)


def test_check_tells_and_does_nothing(guest: Guest) -> None:
    told = _rename(guest, dry=True)
    assert told == [
        "remove container feeds-db-1",
        "remove container feeds-web-1",
        "remove network feeds_default",
        f"folder {guest.root}/feeds is now {guest.root}/feeds-test",
        "volume feeds_data is now feeds-test_data",
        "volume feeds_media is now feeds-test_media",
        "write APP_NAME and where it is reached to .env",
    ]
    assert guest.names("containers") == ["feeds-db-1", "feeds-web-1"]
    assert _rename(guest) == told
    _assert_renamed(guest)
    assert _rename(guest, dry=True) == _rename(guest) == []


@pytest.mark.parametrize("command", range(1, 10))
def test_cut_off_at_any_command_it_goes_on(guest: Guest, monkeypatch: pytest.MonkeyPatch, command: int) -> None:
    monkeypatch.setenv("DOCKER_FAILS_AT", str(command))
    with pytest.raises(module.Refused, match="the machine goes down"):
        _rename(guest)
    monkeypatch.setenv("DOCKER_FAILS_AT", "0")
    assert _rename(guest)
    _assert_renamed(guest)
    assert _rename(guest) == []


@pytest.mark.parametrize("cut", ["rmdir", "rename", "mkdir"])
def test_cut_off_between_two_folders_it_goes_on(guest: Guest, monkeypatch: pytest.MonkeyPatch, cut: str) -> None:
    """Each change of a volume's folders in turn is the last one that does not happen."""

    def fail(self: Path, *_words: object, **_more: object) -> None:
        raise OSError("the machine goes down")

    genuine = getattr(Path, cut)

    def cut_off(self: Path, *words: object, **more: object) -> object:
        return fail(self) if self.name == "_data" else genuine(self, *words, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Path, cut, cut_off)
        with pytest.raises(OSError, match="the machine goes down"):
            _rename(guest)
    assert _rename(guest)
    _assert_renamed(guest)


def test_data_on_both_sides_are_never_overwritten(guest: Guest) -> None:
    guest._volume("feeds-test_data", {"com.docker.compose.project": "feeds-test"}, None)
    with pytest.raises(module.Refused, match="hold data: nothing is overwritten"):
        _rename(guest)
    assert (guest.data("feeds_data") / "rows").read_text() == "rows of feeds_data"
    assert (guest.data("feeds-test_data") / "rows").read_text() == "rows of feeds-test_data"


def test_two_stacks_are_refused(guest: Guest) -> None:
    shutil.copytree(guest.root / "feeds", guest.root / "feeds-test")
    with pytest.raises(module.Refused, match="hold a stack"):
        _rename(guest)


def test_log_of_a_run_that_failed_early_goes_along(guest: Guest) -> None:
    (guest.root / "feeds-test").mkdir()
    (guest.root / "feeds-test" / "log.jsonl").write_text("it failed")
    _rename(guest)
    _assert_renamed(guest)
    assert (guest.root / "feeds-test" / "log.jsonl").read_text() == "it failed"


def test_secrets_are_forgotten_once(guest: Guest) -> None:
    assert "forget SESSION_KEY" in _rename(guest, forget=("SESSION_KEY", "NEVER_MADE"))
    secrets = guest.root / "feeds-test" / "secrets.env"
    assert secrets.read_text() == "DB_PASSWORD=keep-me\n"
    secrets.write_text("DB_PASSWORD=keep-me\nSESSION_KEY=new-one\n")
    assert _rename(guest, forget=("SESSION_KEY",)) == []


def test_address_that_is_a_name_stays(guest: Guest) -> None:
    stack = guest.root / "feeds"
    (stack / ".env").write_text("APP_ADDRESS=10.0.0.9\nAPP_NAME=feeds\nAPP_URL=https://feeds.example.org/10.0.0.90\n")
    _rename(guest)
    assert (guest.root / "feeds-test" / ".env").read_text() == (
        "APP_ADDRESS=10.0.0.21\nAPP_NAME=feeds-test\nAPP_URL=https://feeds.example.org/10.0.0.90\n"
    )


def test_volume_of_another_driver_is_refused(guest: Guest) -> None:
    file = guest.docker / "volumes" / "feeds_data.json"
    file.write_text(json.dumps({**guest.volume("feeds_data"), "Driver": "nas"}))
    with pytest.raises(module.Refused, match="is of driver nas"):
        _rename(guest)


def test_guest_without_docker_and_a_copy_of_itself_are_refused(guest: Guest, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(module.Refused, match="cannot have the name of its source"):
        module.rename(module.Copy("feeds", "feeds", guest.root, "", ()), dry=False)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(module.Refused, match="no Docker"):
        _rename(guest)
