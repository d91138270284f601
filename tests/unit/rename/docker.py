"""As much of docker's command line as proximity_rename uses, on a folder: containers, networks, and volumes with their data.

With DOCKER_FAILS_AT=n the n-th command that changes anything is the last one: it is not carried out, and nothing after it.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

HOME = Path(os.environ["DOCKER_HOME"])
PROJECT = "label=com.docker.compose.project="


def change() -> None:
    count = int((HOME / "count").read_text() if (HOME / "count").exists() else 0) + 1
    (HOME / "count").write_text(str(count))
    if count >= int(os.environ.get("DOCKER_FAILS_AT", "0") or 0) > 0:
        sys.exit("the machine goes down")


def listed(kind: str, words: list[str]) -> None:
    wanted = next((word.removeprefix(PROJECT) for word in words if word.startswith(PROJECT)), None)
    for file in sorted((HOME / kind).glob("*.json")):
        labels = json.loads(file.read_text())["Labels"]
        if wanted in (None, labels.get("com.docker.compose.project")):
            print(file.stem)


def main(words: list[str]) -> None:
    if words[0] == "ps" or words[1:2] == ["ls"]:
        listed({"ps": "containers", "network": "networks", "volume": "volumes"}[words[0]], words)
    elif words[0] == "stop":
        change()
        file = HOME / "containers" / f"{words[1]}.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), "Running": False}))
    elif words[0] == "rm":
        change()
        file = HOME / "containers" / f"{words[1]}.json"
        if json.loads(file.read_text())["Running"]:
            sys.exit("cannot remove a running container")
        file.unlink()
    elif words[:2] == ["network", "rm"]:
        change()
        (HOME / "networks" / f"{words[2]}.json").unlink()
    elif words[:2] == ["volume", "inspect"]:
        print(json.dumps([json.loads((HOME / "volumes" / f"{words[2]}.json").read_text())]))
    elif words[:2] == ["volume", "create"]:
        change()
        make_volume(words[-1], words[2:-1])
    elif words[:2] == ["volume", "rm"]:
        change()
        shutil.rmtree(HOME / "volumes" / words[2])
        (HOME / "volumes" / f"{words[2]}.json").unlink()
    else:
        sys.exit(f"docker does not know {words}")


def make_volume(name: str, words: list[str]) -> None:
    pairs = {
        kind: dict(word.removeprefix(f"--{kind}=").split("=", 1) for word in words if word.startswith(f"--{kind}="))
        for kind in ("label", "opt")
    }
    data = HOME / "volumes" / name / "_data"
    data.mkdir(parents=True)
    volume = {"Driver": "local", "Labels": pairs["label"], "Options": pairs["opt"] or None, "Mountpoint": str(data), "Name": name}
    (HOME / "volumes" / f"{name}.json").write_text(json.dumps(volume))


if __name__ == "__main__":
    main(sys.argv[1:])
