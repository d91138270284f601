#!/usr/bin/python
"""Module stack_look, for tests: what runs in this guest is what an entry promises. It runs in the guest, and returns no secret."""

from __future__ import annotations

import hashlib
import json
import re
import stat
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

PROJECT = "com.docker.compose.project"
KINDS = {"alnum": r"[A-Za-z0-9]+", "hex": r"[0-9a-f]+", "base64": r"[A-Za-z0-9+/]+=*", "laravel_key": r"base64:[A-Za-z0-9+/]+=*"}


def main() -> None:
    module = AnsibleModule(
        {"name": {"required": True}, "path": {"required": True, "type": "path"}, "expected": {"type": "dict", "required": True}}
    )
    look = Look(module, module.params["name"], Path(module.params["path"]))
    problems = look.problems(module.params["expected"])
    if problems:
        module.fail_json(msg="; ".join(problems), problems=problems)
    module.exit_json(changed=False, services=sorted(look.containers))


class Look:
    """One project as dockerd and the file system show it."""

    def __init__(self, module: AnsibleModule, name: str, path: Path) -> None:
        self.module, self.name, self.path = module, name, path
        ids = self._docker("ps", "-aq", "--filter", f"label={PROJECT}={name}").split()
        rows = json.loads(self._docker("inspect", *ids)) if ids else []
        self.containers: dict[str, Any] = {row["Config"]["Labels"]["com.docker.compose.service"]: row for row in rows}

    def problems(self, expected: dict[str, Any]) -> list[str]:
        if set(self.containers) != set(expected["services"]):
            return [f"services {sorted(self.containers)} run instead of {sorted(expected['services'])}"]
        found = []
        for service, wanted in expected["services"].items():
            found += [f"{service}: {problem}" for problem in self._service(service, wanted)]
        return found + self._secrets(expected["secrets"]) + self._volumes(expected["volumes"])

    def _service(self, service: str, wanted: dict[str, Any]) -> list[str]:
        row, found = self.containers[service], []
        state, config = row["State"], row["Config"]
        if state["Status"] != "running" or row["RestartCount"]:
            found.append(f"is {state['Status']} after {row['RestartCount']} restarts: {self._last_words(row['Id'])}")
        health = (state.get("Health") or {}).get("Status", "none")
        if health != ("healthy" if wanted["checked"] else "none"):
            found.append(f"health is {health}: {self._last_check(state)}")
        if config["Image"] != wanted["image"]:
            found.append(f"runs {config['Image']} instead of {wanted['image']}")
        if row["HostConfig"]["RestartPolicy"]["Name"] != "unless-stopped" or "max-size" not in row["HostConfig"]["LogConfig"]["Config"]:
            found.append("has another restart policy, or logs without end")
        found += [f"variable {text.partition('=')[0]} was not filled in" for text in config["Env"] or [] if "${" in text]
        if row["HostConfig"]["Privileged"]:
            found.append("is privileged")
        return found + self._ports(row, wanted) + self._mounts(row, wanted) + self._files(row, wanted)

    def _ports(self, row: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
        bound = row["NetworkSettings"]["Ports"] or {}
        published = sorted({f"{host['HostPort']}:{inside}" for inside, hosts in bound.items() for host in hosts or ()})
        return [] if published == sorted(wanted["ports"]) else [f"publishes {published} instead of {sorted(wanted['ports'])}"]

    def _mounts(self, row: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
        mounted = {mount["Destination"]: (mount.get("Name") or mount["Source"], mount["RW"]) for mount in row["Mounts"]}
        found = []
        for target, (source, writable) in wanted["mounts"].items():
            place = str(self.path / source) if source.startswith("./") else source if source.startswith("/") else f"{self.name}_{source}"
            if mounted.get(target) != (place, writable):
                found.append(f"has {mounted.get(target)} at {target} instead of {(place, writable)}")
            elif writable and not source.startswith(("/", "./")):
                found += self._unwritable(row["Id"], target)
        surplus = set(mounted) - set(wanted["mounts"]) - set(wanted["configs"])
        return found + [f"has a mount that nobody asked for at {target}" for target in sorted(surplus)]

    def _unwritable(self, container: str, target: str) -> list[str]:
        code, _out, error = self._try("exec", container, "sh", "-c", 'touch "$1/.tried" && rm "$1/.tried"', "sh", target)
        return [f"cannot write to {target}: {error.strip()}"] if code else []

    def _files(self, row: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
        """Each file as the service itself sees it."""
        found = []
        for target, digest in wanted["files"].items():
            code, text, _error = self._try("exec", row["Id"], "cat", target)
            if code or hashlib.sha256(text.encode()).hexdigest() != digest:
                found.append(f"does not see the entry's file at {target}")
        for target in wanted["configs"]:
            code, text, _error = self._try("exec", row["Id"], "cat", target)
            if code or not text or "${" in text:
                found.append(f"does not see the config at {target} filled in")
        return found

    def _secrets(self, wanted: dict[str, Any]) -> list[str]:
        """Made in the guest, of the right kind, for root alone, and used by a service."""
        file = self.path / "secrets.env"
        modes = {name: stat.S_IMODE((self.path / name).stat().st_mode) for name in (".env", "secrets.env") if (self.path / name).exists()}
        found = [f"{name} has mode {mode:o}" for name, mode in modes.items() if mode != 0o600]
        lines = file.read_text().splitlines() if file.exists() else []
        values = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
        if set(values) != set(wanted):
            return [*found, f"the secrets are {sorted(values)} instead of {sorted(wanted)}"]
        seen = json.dumps([(row["Config"]["Env"], row["Config"]["Cmd"]) for row in self.containers.values()])
        for name, secret in wanted.items():
            if not re.fullmatch(KINDS[secret["kind"]], values[name]) or len(values[name]) < secret["length"]:
                found.append(f"secret {name} is not {secret['kind']} of {secret['length']}")
            elif values[name] not in seen and values[name] not in self._configs():
                found.append(f"no service was given secret {name}")
        return found

    def _configs(self) -> str:
        """What Compose makes of the file; some secrets are in `configs` only."""
        files = [word for name in (".env", "secrets.env") for word in ("--env-file", str(self.path / name))]
        return self._docker("compose", "-p", self.name, "--project-directory", str(self.path), *files, "config")

    def _volumes(self, wanted: list[str]) -> list[str]:
        """Named volumes and no others: one without a name is lost with its container."""
        named = set(self._docker("volume", "ls", "-q", "--filter", f"label={PROJECT}={self.name}").split())
        missing = {f"{self.name}_{volume}" for volume in wanted} - named
        return [f"there is no volume {name}" for name in sorted(missing)]

    def _last_words(self, container: str) -> str:
        _code, out, error = self._try("logs", "--tail", "3", container)
        return " / ".join((out + error).split("\n")).strip(" /") or "it says nothing"

    def _last_check(self, state: dict[str, Any]) -> str:
        log = (state.get("Health") or {}).get("Log") or [{}]
        return f"exit {log[-1].get('ExitCode')}, {log[-1].get('Output', '').strip()[-200:]}"

    def _docker(self, *words: str) -> str:
        code, out, error = self._try(*words)
        if code:
            self.module.fail_json(msg=f"docker {words[0]}: {error.strip()}")
        return out

    def _try(self, *words: str) -> tuple[int, str, str]:
        result: tuple[int, str, str] = self.module.run_command(["docker", *words])
        return result


if __name__ == "__main__":
    main()
