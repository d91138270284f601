"""Archives, layers and image names: what goes into backups and into the registry."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path

import pytest
from lab.guests.runtime import RuntimeFailure
from lab.real.builder import Bootstrap, bootstrap_argv, digest_of
from lab.real.images import files_layer, image_name
from lab.real.mirror import Mirror
from lab.real.oci import Layer, digest, image_config, manifest
from lab.real.rootfs import CONFIG_IN_ARCHIVE, config_in_archive, mend, read_inside, swap, tar_member
from lab.real.templates import DOCKER, STANDARD, recipe


def test_configuration_is_the_first_member_of_a_backup(tmp_path: Path) -> None:
    archive = tmp_path / "a.tar.gz"
    rest = tar_member("./etc/hostname", b"x\n") + b"\0" * 1024
    archive.write_bytes(gzip.compress(tar_member(CONFIG_IN_ARCHIVE, "memory: 512\n#über\n".encode()) + rest))
    assert config_in_archive(archive) == "memory: 512\n#über\n"


@pytest.mark.parametrize("content", [b"", b"no tar at all" * 100, tar_member("./etc/hostname", b"x") + b"\0" * 1024])
def test_backup_without_configuration_is_refused(tmp_path: Path, content: bytes) -> None:
    archive = tmp_path / "a.tar"
    archive.write_bytes(content)
    with pytest.raises(RuntimeFailure, match=r"a\.tar"):
        config_in_archive(archive)


def test_compression_that_is_unknown_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuntimeFailure, match="cannot tell its compression"):
        config_in_archive(tmp_path / "a.rar")


def test_links_of_a_guest_lead_nowhere(tmp_path: Path) -> None:
    root, outside = tmp_path / "rootfs", tmp_path / "secret"
    (root / "etc").mkdir(parents=True)
    outside.write_text("the machine's")
    (root / "etc" / "hosts").symlink_to(outside)
    (root / "etc" / "hostname").write_text("guest\n")
    assert read_inside(root, "etc/hosts") == ""
    assert read_inside(root, "etc/hostname") == "guest\n"
    assert read_inside(root, "etc/nothing") == ""


def test_a_swap_that_was_killed_is_undone(tmp_path: Path) -> None:
    place, new = tmp_path / "rootfs", tmp_path / "rootfs.new"
    for directory in (place, new):
        directory.mkdir()
        (directory / directory.name).touch()
    place.rename(tmp_path / "rootfs.old")
    mend(place)
    assert (place / "rootfs").exists()
    swap(new, place)
    mend(place)
    assert [path.name for path in place.iterdir()] == ["rootfs.new"]


def test_same_content_has_the_same_digest() -> None:
    layers = [Layer.of(tar_member("a", b"1")[512:]), Layer.of(b"2")]
    config = image_config(layers, {"Env": ["A=1"], "Cmd": ["sh"]})
    assert manifest(layers, config) == manifest([Layer.of(gzip.decompress(layer.packed)) for layer in layers], config)
    parsed = json.loads(manifest(layers, config))
    assert [part["digest"] for part in parsed["layers"]] == [digest(layer.packed) for layer in layers]
    assert json.loads(config)["rootfs"]["diff_ids"] == [layer.diff_id for layer in layers]


@pytest.mark.parametrize("name", ["web", "api", "standin"])
def test_layers_of_the_repository_have_each_path_once(name: str) -> None:
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(files_layer(name).packed))) as members:
        found = {member.name: member for member in members}
        assert len(found) == len(members.getnames())
    assert found["lab/start"].mode == 0o755


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("postgres:16", (None, "library/postgres", "16")),
        ("lab/web:1.0", (None, "lab/web", "1.0")),
        ("postgres", (None, "library/postgres", "latest")),
        ("registry.example/a/b/c:v2", ("registry.example", "a/b/c", "v2")),
        ("localhost/x:1", ("localhost", "x", "1")),
    ],
)
def test_image_names(image: str, expected: tuple[str | None, str, str]) -> None:
    assert image_name(image) == expected


@pytest.mark.parametrize("image", ["a@sha256:00", "registry.example:5000/a:1", ""])
def test_image_names_that_cannot_be_stood_in_for(image: str) -> None:
    with pytest.raises(RuntimeFailure, match="stood in"):
        image_name(image)


def test_template_recipes_differ_where_they_should() -> None:
    mirror = Mirror("http://mirror.example/debian", settings=(("Acquire::Check-Valid-Until", "false"),))
    plain, docker = recipe(STANDARD, mirror), recipe(DOCKER, mirror)
    assert "python3" in docker.packages
    assert not {"python3", "docker.io"} & set(plain.packages)
    assert digest_of(plain) != digest_of(docker)
    assert any("Check-Valid-Until" in hook for hook in plain.hooks)
    assert any("daemon.json" in hook for hook in docker.hooks)


def test_bootstrap_goes_through_the_apt_cache() -> None:
    argv = bootstrap_argv(Bootstrap("trixie", "minbase", ("a", "b"), ("true",)), Path("/s"), Path("/t"))
    assert '--aptopt=Acquire::http::Proxy "http://10.231.255.1"' in argv
    assert "--include=a,b" in argv
    assert argv[-3:] == ["trixie", Path("/t"), Path("/s")]
