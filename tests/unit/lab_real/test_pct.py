"""`pct` on a node: arguments verbatim, the genuine texts and exit codes. LXC's commands are stand-ins here."""

from __future__ import annotations

import os
import platform
import stat
import subprocess
from pathlib import Path

import pytest

PCT = Path(__file__).parents[2] / "lab" / "real" / "node_files" / "pct"
NODE = platform.node()
STAND_INS = {
    "lxc-info": 'cat "$HERE/state-$2" 2> /dev/null || exit 1',
    "lxc-attach": 'shift 3; [ "$1" != -- ] || shift; printf "<%s>" "$@"; echo',
    "lxc-start": 'echo RUNNING > "$HERE/state-$2"',
    "lxc-stop": 'echo STOPPED > "$HERE/state-$2"',
    "lxc-unfreeze": "exit 0",
}
CONF = "#My %3A notes\n#second\narch: amd64\nhostname: web1\nlock: backup\n[snap]\nhostname: old\n"


class Node:
    """A directory that plays the node: configurations, states, commands."""

    def __init__(self, here: Path) -> None:
        self.here = here
        (here / "bin").mkdir()
        for name, text in STAND_INS.items():
            command = here / "bin" / name
            command.write_text(f"#!/bin/bash\n{text}\n")
            command.chmod(command.stat().st_mode | stat.S_IXUSR)
        for vmid, state in ((120, "RUNNING"), (121, "STOPPED")):
            (here / f"{vmid}.conf").write_text(f"hostname: ct{vmid}\n")
            (here / f"state-{vmid}").write_text(state + "\n")

    def pct(self, *words: str) -> tuple[int, str, str]:
        environment = {"PATH": f"{self.here}/bin:{os.environ['PATH']}", "PCT_CONFIGS": str(self.here), "HERE": str(self.here)}
        done = subprocess.run(["bash", PCT, *words], env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout, done.stderr


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_arguments_arrive_verbatim(node: Node) -> None:
    assert node.pct("exec", "120", "--", "sh", "-c", "echo $HOME; ls *", "a  b", "")[1] == "<sh><-c><echo $HOME; ls *><a  b><>\n"


def test_one_string_is_one_program_name(node: Node) -> None:
    assert node.pct("exec", "120", "--", "echo hi")[1] == "<echo hi>\n"


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (("exec", "999", "--", "true"), 2, f"Configuration file 'nodes/{NODE}/lxc/999.conf' does not exist\n"),
        (("status", "999"), 2, f"Configuration file 'nodes/{NODE}/lxc/999.conf' does not exist\n"),
        (("exec", "121", "--", "true"), 255, "container '121' not running!\n"),
        (("enter", "121"), 255, "container '121' not running!\n"),
        (("exec", "120"), 255, "missing command\n"),
        (("exec", "120", "ls", "-l"), 255, "Unknown option: l\n400 unable to parse option\n"),
        (
            ("exec", "abc", "--", "true"),
            255,
            "400 Parameter verification failed.\nvmid: invalid format - value does not look like a valid VM ID\n\n",
        ),
        (("exec",), 255, "400 Parameter verification failed.\nvmid: property is missing and it is not optional\n"),
        (("start", "120"), 255, "CT 120 already running\n"),
        (("stop", "121"), 255, "CT 121 not running\n"),
        (("reboot", "121"), 255, "VM 121 not running\n"),
        (("push", "120", "/no/such", "/x"), 2, "failed to open /no/such for reading: No such file or directory\n"),
        (("push", "121", "/no/such", "/x"), 255, "can only push files to a running VM\n"),
    ],
)
def test_refusals(node: Node, words: tuple[str, ...], status: int, text: str) -> None:
    assert node.pct(*words) == (status, "", text)


@pytest.mark.parametrize("words", [(), ("frobnicate",)])
def test_usage(node: Node, words: tuple[str, ...]) -> None:
    status, _, text = node.pct(*words)
    assert status == 255
    assert text.startswith("ERROR: ")
    assert "USAGE: pct <COMMAND> [ARGS] [OPTIONS]" in text


def test_status_and_list(node: Node) -> None:
    assert node.pct("status", "120")[1] == "status: running\n"
    assert node.pct("list")[1].splitlines()[1:] == [
        "120        running                 ct120               ",
        "121        stopped                 ct121               ",
    ]


def test_start_and_stop(node: Node) -> None:
    assert node.pct("start", "121")[0] == 0
    assert node.pct("status", "121")[1] == "status: running\n"
    assert node.pct("shutdown", "121", "--timeout", "5")[0] == 0
    assert node.pct("status", "121")[1] == "status: stopped\n"


def test_config_is_the_current_one_with_notes(node: Node) -> None:
    (node.here / "120.conf").write_text(CONF)
    assert node.pct("config", "120")[1] == "arch: amd64\ndescription: My %3A notes%0Asecond%0A\nhostname: web1\nlock: backup\n"


def test_a_locked_container_is_left_alone(node: Node) -> None:
    (node.here / "120.conf").write_text(CONF)
    assert node.pct("stop", "120") == (255, "", "CT is locked (backup)\n")
