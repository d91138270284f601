# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Each mistake in an entry is told in one line: where it is, and what is expected there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.proximity.platform.plugins.module_utils.entries import check_definition, parse_entry
from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog import complete_definition
from ansible_collections.proximity.platform.plugins.plugin_utils.compose import check_rules
from ansible_collections.proximity.platform.plugins.plugin_utils.yamlfile import read_yaml

Edit = Callable[[dict[str, Any]], object]


def setting(*path: Any, to: Any) -> Edit:
    def edit(definition: dict[str, Any]) -> None:
        target: Any = definition
        for key in path[:-1]:
            target = target.setdefault(key, {}) if isinstance(target, dict) else target[key]
        target[path[-1]] = to

    return edit


def without(*path: Any) -> Edit:
    def edit(definition: dict[str, Any]) -> None:
        target: Any = definition
        for key in path[:-1]:
            target = target[key]
        del target[path[-1]]

    return edit


def compose(old: str, new: str) -> Edit:
    def edit(definition: dict[str, Any]) -> None:
        assert old in definition["compose"]
        definition["compose"] = definition["compose"].replace(old, new)

    return edit


MISTAKES: dict[str, tuple[Edit, str]] = {
    "a schema from the future": (setting("schema", to=2), "schema: expected 1, got '2'"),
    "a missing field": (without("description"), "'description' is missing: One or two sentences in our own words."),
    "a misspelt field": (setting("web", "prot", to=80), "web: unknown key 'prot'; did you mean port? Known: path, port, scheme, service"),
    "a version that YAML reads as a number": (setting("version", to=1.2), "version: expected text, got '1.2'; put it in quotes"),
    "an id that is no folder name": (setting("id", to="My App"), "id: 'My App' does not match ^[a-z0-9][a-z0-9-]{0,38}$"),
    "a port that does not exist": (setting("web", "port", to=80800), "web.port: expected at most 65535, got 80800"),
    "an unknown kind of secret": (
        setting("secrets", "API_TOKEN", "kind", to="uuid"),
        "secrets.API_TOKEN.kind: 'uuid' is none of alnum, hex, base64, laravel_key",
    ),
    "a secret that is too short": (
        setting("secrets", "API_TOKEN", "length", to=4),
        "secrets.API_TOKEN.length: expected at least 12, got 4",
    ),
    "a variable in small letters": (
        setting("options", "title", "env", to="title"),
        "options.title.env: 'title' does not match ^[A-Z][A-Z0-9_]{0,62}$",
    ),
    "no architecture": (setting("architectures", to=[]), "architectures: must not be empty"),
    "a boolean as text": (setting("volumes", "data", "backup", to="yes"), "volumes.data.backup: expected true or false, got 'yes'"),
    "a mode as a number": (setting("files", 0, "mode", to=420), "files[0].mode: expected text, got '420'; put it in quotes"),
    "a file without its text": (without("files", 0, "content"), "files[0].content: expected the text of the file"),
    "an undeclared variable": (
        compose("${TITLE}", "${TITEL}"),
        "${TITEL} is no option, no secret and no value of the platform, and has no default; did you mean TITLE?",
    ),
    "a secret that nothing uses": (
        setting("secrets", "OTHER", to={"kind": "hex", "length": 32}),
        "secrets: OTHER is declared, but compose.yml does not use ${OTHER}",
    ),
    "a variable with two owners": (
        setting("options", "workers", "env", to="API_TOKEN"),
        "API_TOKEN is already the variable of secret API_TOKEN; choose another name",
    ),
    "a variable of the platform": (
        setting("options", "workers", "env", to="APP_URL"),
        "APP_URL is already the variable of the platform; choose another name",
    ),
    "a variable of the shell": (
        setting("options", "workers", "env", to="USER"),
        "USER may be set by the shell that runs Compose and would win; choose another name, such as APP_USER",
    ),
    "a lone dollar": (compose('"true"', '"echo $(date)"'), "a $ that Compose cannot read as a variable; write $$ for a plain one"),
    "a default outside of the choices": (
        setting("options", "workers", "default", to=3),
        "options.workers.default: option workers: '3' is none of 1, 2, 4",
    ),
    "a default against the pattern": (setting("options", "title", "default", to="<b>"), "'<b>' does not match [A-Za-z' $]{1,20} (Letters)"),
    "a broken pattern": (
        setting("options", "title", "pattern", to="["),
        "options.title.pattern: is no regular expression: unterminated character set at position 0",
    ),
    "a password with a default": (
        setting("options", "title", to={"env": "TITLE", "type": "password", "default": "x"}),
        "options.title.default: a password has no default; declare a secret, which is generated",
    ),
    "a login without its secret": (
        setting("first_login", "secret", to="ADMIN"),
        "first_login.secret: there is no secret ADMIN; Known: API_TOKEN",
    ),
    "a secret where it would be shown": (
        setting("first_login", "user", to="${API_TOKEN}"),
        "first_login.user: ${API_TOKEN} is no option and no value of the platform",
    ),
    "more memory as a minimum": (
        setting("resources", "minimum", to={"memory_mb": 512}),
        "resources.recommended.memory_mb: 256 is less than the minimum 512",
    ),
    "a path for a tcp probe": (
        setting("health", to={"type": "tcp", "port": 8080, "path": "/x"}),
        "health: path, expect, headers and scheme are for type http",
    ),
    "a file that nothing mounts": (
        setting("files", 0, "target", to="other.conf"),
        "files[0].target: compose.yml does not use ./files/other.conf",
    ),
    "a port there twice": (setting("ports", to=[{"name": "x", "port": 8080, "protocol": "tcp"}]), "ports[0]: 8080/tcp is already web"),
    "an unproven field that is none": (setting("unproven", to=["helth.path"]), "unproven[0]: helth.path is no field of an entry"),
    "a service that is not there": (setting("web", "service", to="app"), "web.service: compose.yml has no service app; Known: web"),
    "a port that is not published": (setting("web", "port", to=9090), "web.port: compose.yml does not publish 9090 from service web"),
    "a port that is not declared": (
        compose('["8080:80"]', '["8080:80", "53:53/udp"]'),
        "53/udp is published, but is neither web.port nor in ports of entry.yml",
    ),
    "a probe of a closed port": (
        setting("health", "port", to=8081),
        "health.port: compose.yml does not publish 8081; 127.0.0.1:8081:8081 is enough",
    ),
    "a volume that is not described": (setting("volumes", to={}), "compose.volumes.data: is not described in volumes of entry.yml"),
    "a volume that is not there": (
        setting("volumes", "dta", to={"kind": "data", "backup": True}),
        "volumes.dta: compose.yml declares no such volume; did you mean data?",
    ),
    "a volume without a name": (
        compose('"data:/data"', '"data:/data", "/cache"'),
        "'/cache' has no name; a volume without a name is lost with its container",
    ),
    "the socket of Docker": (
        compose('"data:/data"', '"data:/data", "/var/run/docker.sock:/s"'),
        "mounts Docker's socket; say so in requirements.docker_socket",
    ),
    "an image built in the guest": (compose("image: example/web:1.2.3", "build: ."), "compose.services.web: 'image' is missing"),
    "a description that says nothing": (setting("description", to="An app."), "description: expected at least 20 characters, got 7"),
    "a description without end": (setting("description", to="x" * 301), "description: expected at most 300 characters, got 301"),
    "a key that is a number": (
        setting("volumes", 1, to={"kind": "data", "backup": True}),
        "volumes: the key '1' is not text; put it in quotes",
    ),
    "two ports of one name": (
        setting("ports", to=[{"name": "x", "port": port, "protocol": "udp"} for port in (1, 2)]),
        "ports[1].name: x/udp is there twice",
    ),
    "a way out of the folder": (setting("files", 0, "source", to="files/../../x"), "files[0]: '..' is not accepted in a path"),
    "a file put there twice": (
        lambda definition: definition["files"].append(definition["files"][0]),
        "files[1].target: app.conf is there twice",
    ),
    "a switch that is neither on nor off": (
        setting("options", "workers", to={"env": "WORKERS", "type": "boolean", "default": "maybe"}),
        "option workers: expected true or false, got 'maybe'",
    ),
    "no compose at all": (without("compose"), "The definition has no compose; it is the text of a Compose file."),
    "compose without services": (setting("compose", to="x: 1"), "compose.services: expected a mapping of services"),
    "a service that is text": (setting("compose", to="services: {web: x}"), "compose.services.web: expected a mapping"),
    "a service built beside its image": (
        compose("restart:", "build: .\n    restart:"),
        "compose.services.web.build: a service runs a published image",
    ),
    "ports that are text": (compose('["8080:80"]', "8080"), "compose.services.web.ports: expected a list"),
    "a port in a form of its own": (compose('["8080:80"]', '["8080-8090:80"]'), "'8080-8090:80' is not of the form port:port"),
    "a port where an address belongs": (compose('["8080:80"]', '["80:8080:80"]'), "'80:8080:80' is not of the form port:port"),
    "a further port that is closed": (
        setting("ports", to=[{"name": "dns", "port": 53, "protocol": "udp"}]),
        "ports[0]: compose.yml does not publish 53/udp",
    ),
    "a volume that is not declared": (
        compose("volumes:\n  data: {}", ""),
        "data is used by a service, but not declared at the end of the file",
    ),
    "a volume that nothing uses": (
        compose("  data: {}", "  data: {}\n  spare: {}"),
        "compose.volumes.spare: is declared, but no service uses it",
    ),
    "a file that is not there": (compose('"data:/data"', '"data:/data", "./files/x:/x"'), "./files/x is not among files of entry.yml"),
    "a pattern of tags that is none": (setting("updates", to={"tags": {"web": "["}}), "updates.tags.web: is no regular expression"),
    "compose that is no YAML": (setting("compose", to="a: [b"), "compose:1: is not YAML"),
    "a tag against its own pattern": (
        setting("updates", to={"tags": {"web": r"^v\d"}}),
        r"updates.tags.web: ^v\d does not match the pinned tag 1.2.3",
    ),
}


RULES: dict[str, tuple[str, str, str]] = {
    "a moving tag": ("example/web:1.2.3", "example/web:latest", "compose.services.web.image: example/web:latest moves; pin a version"),
    "no tag": ("example/web:1.2.3", "example/web", "example/web moves; pin a version"),
    "a tag from a variable": ("example/web:1.2.3", "example/web:${MODE:-1.2.3}", "holds a variable; the revision would not tell what runs"),
    "a privileged service": ("restart:", "privileged: true\n    restart:", "compose.services.web.privileged: takes the walls down"),
    "the guest's network": ("restart:", "network_mode: host\n    restart:", "host needs requirements.host_network: required in entry.yml"),
    "a folder of the guest": (
        '"data:/data"',
        '"data:/data", "/srv:/srv"',
        "/srv is a folder of the guest; use a named volume, ./files/...",
    ),
    "a device": ("restart:", "devices: [/dev/dri]\n    restart:", "compose.services.web.devices: say so in requirements of entry.yml"),
    "a limit that may not be raised": (
        "restart:",
        "ulimits: {nofile: 262144}\n    restart:",
        "compose.services.web.ulimits: an unprivileged container may be refused",
    ),
    "a secret in plain text": (
        "TITLE: ${TITLE}",
        "DB_PASSWORD: hunter2\n      T: ${TITLE}",
        "environment.DB_PASSWORD: looks like a secret in plain text",
    ),
    "no restart": ("restart: unless-stopped", "restart: always", "compose.services.web: expected restart: unless-stopped"),
    "logs without end": (', max-file: "2"', "", "expected logging with driver json-file and options max-size and max-file"),
    "no health check": (
        'healthcheck: {test: [CMD, "true"]}',
        "",
        "expected a healthcheck, or compose.services.web.healthcheck in unproven",
    ),
    "a health check that is slow to begin": (
        '"true"]}',
        '"true"], interval: 30s, start_period: 60s}',
        "compose.services.web.healthcheck: expected start_period and start_interval",
    ),
    "the old version line": ("services:", 'version: "3"\nservices:', "compose.version: is obsolete; leave it out"),
}


@pytest.mark.parametrize("name", RULES)
def test_the_rules_of_the_house_are_told_in_one_line(definition: dict[str, Any], name: str) -> None:
    old, new, expected = RULES[name]
    compose(old, new)(definition)
    text, _lines = read_yaml(definition["compose"], "compose")
    complete = complete_definition(definition)
    told = [str(problem) for problem in check_rules(parse_entry(complete), text)]
    assert len(told) == 1 and expected in told[0], told


def test_the_rules_of_the_house_have_exceptions_that_say_so(definition: dict[str, Any]) -> None:
    digest = "sha256:" + "0" * 64
    compose("example/web:1.2.3", f"example/web:latest@{digest}")(definition)
    compose('healthcheck: {test: [CMD, "true"]}', "devices: [/dev/ttyUSB0]\n    environment_file: x")(definition)
    definition["unproven"] = ["compose.services.web.healthcheck"]
    definition["requirements"] = {"devices": "required"}
    text, _lines = read_yaml(definition["compose"], "compose")
    assert check_rules(parse_entry(complete_definition(definition)), text) == []


def test_a_device_keeps_its_path(definition: dict[str, Any]) -> None:
    compose("restart:", "devices: ['/dev/ttyUSB0:/dev/radio']\n    restart:")(definition)
    definition["requirements"] = {"devices": "required"}
    text, _lines = read_yaml(definition["compose"], "compose")
    told = [str(problem) for problem in check_rules(parse_entry(complete_definition(definition)), text)]
    assert len(told) == 1 and "a device keeps its path; write /dev/ttyUSB0:/dev/ttyUSB0" in told[0]


def test_ports_and_mounts_may_be_written_long(definition: dict[str, Any]) -> None:
    compose('["8080:80"]', "[{published: 8080, target: 80}]")(definition)
    compose('"data:/data"', "{type: volume, source: data, target: /data}, {type: tmpfs, target: /tmp}")(definition)
    assert complete_definition(definition)["id"] == "sample"


@pytest.mark.parametrize("name", MISTAKES)
def test_each_mistake_is_told_in_one_line(definition: dict[str, Any], name: str) -> None:
    edit, expected = MISTAKES[name]
    edit(definition)
    with pytest.raises(SpecError) as caught:
        complete_definition(definition)
    lines = str(caught.value).split("\n")
    assert any(expected in line for line in lines), lines
    assert all(line.startswith(("Definition ", "The definition ", "compose:1: ")) and len(line) < 400 for line in lines)


def test_the_sample_has_no_mistake(definition: dict[str, Any]) -> None:
    assert check_definition(definition) == []
    assert complete_definition(definition)["services"] == {"web": "example/web:1.2.3"}


def test_every_mistake_is_told_at_once(definition: dict[str, Any]) -> None:
    definition["version"] = 1
    del definition["name"]
    with pytest.raises(SpecError) as caught:
        parse_entry(definition)
    assert [line.split(":")[1].strip() for line in str(caught.value).split("\n")] == ["'name' is missing", "version"]


@pytest.mark.parametrize("value", [None, [], "text", 3])
def test_what_is_no_mapping_is_refused(value: Any) -> None:
    with pytest.raises(SpecError, match="expected a mapping"):
        parse_entry(value)
