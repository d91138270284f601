"""`docker` and `systemctl` in a guest, as far as the roles, their modules and `community.docker` call them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable

from lab.light import compose
from lab.light.engine import PROJECT, Engine, folder, running

INFO = {"Driver": "overlay2", "ServerVersion": "26.1.5", "ClientInfo": {"Plugins": [{"Name": "compose", "Version": compose.VERSION}]}}
UNIT = {"LoadState": "loaded", "ActiveState": "active", "SubState": "running", "UnitFileState": "enabled", "Id": "docker.service"}


def main(words: list[str]) -> int:
    """Strict: what it does not know ends with an error, as it would there."""
    while words[:1] in (["--host"], ["--context"]):
        words = words[2:]
    if words[:1] == ["compose"]:
        return compose.main(words[1:])
    two = " ".join(words[:2])
    for verb, do in VERBS.items():
        if verb in (two, words[0] if words else ""):
            return _guarded(do, words[len(verb.split()) :])
    return _refused(f"docker: '{two}' is not a docker command that this stand-in knows.")


def _guarded(do: Callable[[Engine, list[str]], None], words: list[str]) -> int:
    try:
        do(Engine.load(), words)
    except (LookupError, ValueError) as failure:
        return _refused(f"Error response from daemon: {failure.args[0]}")
    return 0


def _refused(text: str) -> int:
    print(text, file=sys.stderr)
    return 1


def _info(_engine: Engine, words: list[str]) -> None:
    print(INFO["Driver"] if "{{.Driver}}" in words else json.dumps(INFO))


def _version(_engine: Engine, _words: list[str]) -> None:
    print(json.dumps({"Client": {"Version": "26.1.5"}, "Server": {"Version": "26.1.5", "ApiVersion": "1.45"}}))


def _inspect_image(engine: Engine, words: list[str]) -> None:
    if words[0] not in engine.images:
        raise LookupError(f"No such image: {words[0]}")
    print(json.dumps([{"RepoTags": [words[0]]}]))


def _pull(engine: Engine, words: list[str]) -> None:
    engine.pull(words[-1])
    print(f"docker.io/library/{words[-1]}")


def _filtered(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="docker")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("--filter", default="")
    parser.add_argument("--format", default="")
    given = parser.parse_args(words)
    given.project = given.filter.removeprefix(f"label={PROJECT}=")
    return given


def _list_containers(engine: Engine, words: list[str]) -> None:
    given = _filtered(words)
    up = running()
    for name, container in engine.containers.items():
        if given.project in ("", container.labels[PROJECT]) and (given.all or name in up):
            print(name)


def _list_networks(engine: Engine, words: list[str]) -> None:
    given = _filtered(words)
    print(*(name for name, labels in engine.networks.items() if given.project in ("", labels[PROJECT])), sep="\n")


def _remove_network(engine: Engine, words: list[str]) -> None:
    del engine.networks[words[0]]
    engine.save()


def _list_volumes(engine: Engine, words: list[str]) -> None:
    given = _filtered(words)
    print(*(name for name, each in engine.volumes.items() if given.project in ("", each["labels"].get(PROJECT))), sep="\n")


def _inspect_volume(engine: Engine, words: list[str]) -> None:
    name = words[0]
    if name not in engine.volumes:
        raise LookupError(f"get {name}: no such volume")
    each = engine.volumes[name]
    told = {"Name": name, "Driver": "local", "Mountpoint": str(folder(name)), "Labels": each["labels"], "Options": each["options"] or None}
    print(json.dumps([told]))


def _create_volume(engine: Engine, words: list[str]) -> None:
    pairs = {"label": dict[str, str](), "opt": dict[str, str]()}
    for word in words[:-1]:
        kind, _sign, pair = word.removeprefix("--").partition("=")
        name, _sign, value = pair.partition("=")
        pairs[kind][name] = value
    engine.make_volume(words[-1], pairs["label"], pairs["opt"])
    print(words[-1])


def _remove_volume(engine: Engine, words: list[str]) -> None:
    engine.remove_volume(words[0])


def _stop(engine: Engine, words: list[str]) -> None:
    engine.want(words[0], False)


def _remove_container(engine: Engine, words: list[str]) -> None:
    if words[0] in running():
        raise ValueError(f"cannot remove container {words[0]}: container is running: stop the container before removing")
    engine.remove(words[0])


VERBS: dict[str, Callable[[Engine, list[str]], None]] = {
    "info": _info,
    "version": _version,
    "image inspect": _inspect_image,
    "pull": _pull,
    "ps": _list_containers,
    "network ls": _list_networks,
    "network rm": _remove_network,
    "volume ls": _list_volumes,
    "volume inspect": _inspect_volume,
    "volume create": _create_volume,
    "volume rm": _remove_volume,
    "stop": _stop,
    "rm": _remove_container,
}


def systemctl(words: list[str]) -> int:
    """One unit, docker, which is always up."""
    verbs = [word for word in words if not word.startswith("-")]
    if verbs[0] == "restart":
        running(restart=True)
    elif verbs[0] == "show":
        print(*(f"{name}={value}" for name, value in UNIT.items()), sep="\n")
    elif verbs[0] in ("is-enabled", "is-active"):
        print(UNIT["UnitFileState" if verbs[0] == "is-enabled" else "ActiveState"])
    elif verbs[0] not in ("start", "enable", "daemon-reload"):
        return _refused(f"Unknown command verb {verbs[0]}.")
    return 0
