# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An entry of a git checkout says which one, at which commit; git's files are read without git."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog import OWN, find_definition
from ansible_collections.proximity.platform.plugins.plugin_utils.checkout import checkout_of

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout as git leaves it on disk, with an entry in its folder `apps`."""
    root = tmp_path / "checkout"
    shutil.copytree(OWN / "memos", root / "apps/memos")
    (root / ".git/refs/heads").mkdir(parents=True)
    (root / ".git/HEAD").write_text("ref: refs/heads/main\n")
    (root / ".git/refs/heads/main").write_text(f"{COMMIT}\n")
    (root / ".git/config").write_text(
        '[core]\n\tbare = false\n[remote "origin"]\n\turl = https://anna:secret@git.example.com/team/apps.git\n'
    )
    return root


def source_of(folder: Path) -> str:
    return str(find_definition("memos", [str(folder)])["source"])


def test_the_source_names_origin_folder_and_commit(checkout: Path) -> None:
    assert source_of(checkout / "apps") == "git.example.com/team/apps/apps@0123456789"


def test_without_an_origin_the_path_is_named(checkout: Path) -> None:
    (checkout / ".git/config").write_text("[core]\n")
    assert source_of(checkout / "apps") == f"{checkout}/apps@0123456789"


def test_before_the_first_commit_there_is_none_to_name(checkout: Path) -> None:
    (checkout / ".git/refs/heads/main").unlink()
    assert source_of(checkout / "apps") == "git.example.com/team/apps/apps"


def test_a_folder_without_git_is_named_by_its_path(checkout: Path) -> None:
    shutil.rmtree(checkout / ".git")
    assert checkout_of(checkout) is None and source_of(checkout / "apps") == str(checkout / "apps")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("git@git.example.com:team/apps.git", "git.example.com/team/apps"),
        ("ssh://git@git.example.com:2222/team/apps", "git.example.com/team/apps"),
        ("/srv/git/apps.git", "/srv/git/apps"),
        ("file:///srv/git/apps/", "/srv/git/apps"),
    ],
)
def test_origins_are_said_without_users_and_passwords(checkout: Path, url: str, said: str) -> None:
    (checkout / ".git/config").write_text(f'[remote "origin"]\n\tfetch = x\n\turl = {url}\n[remote "other"]\n\turl = x\n')
    found = checkout_of(checkout)
    assert found is not None and found.remote == said


def test_a_packed_ref_and_a_detached_head_are_read(checkout: Path) -> None:
    (checkout / ".git/refs/heads/main").unlink()
    (checkout / ".git/packed-refs").write_text(f"# pack-refs with: peeled\n{'f' * 40} refs/heads/other\n{COMMIT} refs/heads/main\n")
    found = checkout_of(checkout)
    assert found is not None and found.commit == COMMIT
    (checkout / ".git/HEAD").write_text(f"{'a' * 40}\n")
    found = checkout_of(checkout / "apps/memos")
    assert found is not None and (found.commit, found.root) == ("a" * 40, checkout)


def test_a_worktree_is_read(checkout: Path, tmp_path: Path) -> None:
    worktree, git = tmp_path / "worktree", checkout / ".git/worktrees/worktree"
    git.mkdir(parents=True)
    worktree.mkdir()
    (worktree / ".git").write_text(f"gitdir: {git}\n")
    (git / "commondir").write_text("../..\n")
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    found = checkout_of(worktree)
    assert found is not None and (found.commit, found.remote) == (COMMIT, "git.example.com/team/apps")


@pytest.mark.parametrize("text", ["nothing", "gitdir: ../away"])
def test_a_file_that_leads_nowhere_is_no_checkout(tmp_path: Path, text: str) -> None:
    (tmp_path / ".git").write_text(text)
    assert checkout_of(tmp_path) is None


@pytest.mark.skipif(not shutil.which("git"), reason="git is not on this machine: its files are only tried as they are written here")
def test_git_itself_says_the_same(checkout: Path) -> None:
    shutil.rmtree(checkout / ".git")
    environment = {"PATH": os.environ["PATH"], "HOME": str(checkout)}
    for words in (
        ("init", "-q"),
        ("remote", "add", "origin", "https://git.example.com/team/apps"),
        ("-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "-q", "--allow-empty", "-m", "x"),
        ("pack-refs", "--all"),
    ):
        subprocess.run(["git", *words], cwd=checkout, env=environment, check=True)
    said = subprocess.run(["git", "rev-parse", "HEAD"], cwd=checkout, env=environment, check=True, capture_output=True, text=True)
    found = checkout_of(checkout)
    assert found == (checkout, "git.example.com/team/apps", said.stdout.strip())
