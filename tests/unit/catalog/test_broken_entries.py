# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Entries with many mistakes at once: each is told in one line with its place and what is expected there, and none hides another.

Only what has a shape can contradict itself, and only in a catalog of one's own is it allowed to be careless: hence three entries.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog_actions import ACTIONS
from unit.catalog.test_actions import params

MISSHAPEN = """\
---
schema: 2
id: wrong
name: Wrong
version: 1.2
description: Too short
category: tools
tags: all
links: {site: "http://example.com"}
architectures: [riscv]
web: {service: web, prt: 8080}
ports: [{name: dns, port: 80800, protocol: udp}]
volumes: {data: {kind: stuff, backup: "yes"}}
secrets: {TOKEN: {kind: uuid, length: 4}}
options: {size: {env: size, type: float}}
health: {type: ping, port: 8080}
resources: {recommended: {cores: 0, memory_mb: 256, swap_mb: 0}}
requirements: {gpu: perhaps}
"""
MISSHAPEN_COMPOSE = """\
services:
  web:
    image: example/web:1.2.3
    ports: ["8080-8090:80"]
  worker:
    build: .
"""
CONTRADICTORY = """\
---
schema: 1
id: other
name: Wrong
version: "1.2.3"
description: An entry that contradicts itself wherever it can.
category: tools
links: {site: "https://example.com"}
architectures: [amd64]
web: {service: wbe, port: 8081}
ports: [{name: dns, port: 53, protocol: udp}]
volumes: {dta: {kind: data, backup: true}}
secrets: {TOKEN: {kind: alnum, length: 32}}
options:
  size: {env: SIZE, type: string, default: xl, choices: [s, m]}
  many: {env: MANY, type: integer, default: lots}
health: {type: http, port: 9}
resources: {minimum: {memory_mb: 512}, recommended: {cores: 1, memory_mb: 256, swap_mb: 0, disk_gb: 2}}
files: [{source: files/app.conf, target: app.conf}]
first_login: {user: admin, secret: PASSWORD}
dumps: [{service: db, type: pg_dump, user: app, database: app}]
updates: {tags: {web: "^v[0-9]+$"}}
"""
CONTRADICTORY_COMPOSE = """\
services:
  web:
    image: example/web:1.2.3
    ports: ["8080:80", "2222:22"]
    environment: {A: "${SZE}"}
    volumes: ["data:/data", "./files/ap.conf:/etc/app.conf"]
volumes:
  data: {}
"""
CARELESS_COMPOSE = """\
version: "3"
services:
  web:
    image: example/web:latest
    privileged: true
    network_mode: host
    devices: [/dev/ttyUSB0]
    ulimits: {nofile: 262144}
    ports: ["8080:80"]
    environment: {DB_PASSWORD: hunter22}
    volumes: ["/srv:/srv"]
"""
CARELESS = """\
---
schema: 1
id: wrong
name: Wrong
version: "1.2.3"
description: An entry that holds together, and is careless.
category: tools
links: {site: "https://example.com"}
architectures: [amd64]
web: {service: web, port: 8080}
health: {type: http, port: 8080}
resources: {recommended: {cores: 1, memory_mb: 256, swap_mb: 0, disk_gb: 2}}
"""


TOLD_OF_MISSHAPEN = """\
entry.yml:2: schema: expected 1, got '2'
entry.yml:5: version: expected text, got '1.2'; put it in quotes
entry.yml:6: description: expected at least 20 characters, got 9
entry.yml:8: tags: expected a list, got 'all'
entry.yml:9: links.site: 'http://example.com' does not match ^https://
entry.yml:10: architectures[0]: 'riscv' is none of amd64, arm64
entry.yml:11: web: 'port' is missing: Port as Compose publishes it in the guest.
entry.yml:11: web: unknown key 'prt'; did you mean port?
entry.yml:12: ports[0].port: expected at most 65535, got 80800
entry.yml:13: volumes.data.backup: expected true or false, got 'yes'
entry.yml:13: volumes.data.kind: 'stuff' is none of data, config, db, media, models, cache, logs
entry.yml:14: secrets.TOKEN.kind: 'uuid' is none of alnum, hex, base64, laravel_key
entry.yml:14: secrets.TOKEN.length: expected at least 12, got 4
entry.yml:15: options.size.env: 'size' does not match ^[A-Z][A-Z0-9_]{0,62}$
entry.yml:15: options.size.type: 'float' is none of string, integer, boolean, url, email, hostname, password
entry.yml:16: health.type: 'ping' is none of http, tcp
entry.yml:17: resources.recommended.cores: expected at least 1, got 0
entry.yml:17: resources.recommended: 'disk_gb' is missing: Root disk in GiB, Docker and images included.
entry.yml:18: requirements.gpu: 'perhaps' is none of required, recommended, optional
compose.yml:4: services.web.ports: '8080-8090:80' is not of the form port:port, with /udp or an address before it
compose.yml:5: services.worker: 'image' is missing; a service runs a published image
compose.yml:6: services.worker.build: a service runs a published image, and is not built in the guest
"""
TOLD_OF_CONTRADICTORY = """\
entry.yml:3: id: 'other' differs from the folder's name wrong
entry.yml:10: web.service: compose.yml has no service wbe; did you mean web?
entry.yml:11: ports[0]: compose.yml does not publish 53/udp
entry.yml:12: volumes.dta: compose.yml declares no such volume; did you mean data?
entry.yml:13: secrets: TOKEN is declared, but compose.yml does not use ${TOKEN}
entry.yml:14: options: MANY is declared, but compose.yml does not use ${MANY}
entry.yml:14: options: SIZE is declared, but compose.yml does not use ${SIZE}
entry.yml:15: options.size.default: option size: 'xl' is none of s, m
entry.yml:16: options.many.default: option many: expected a whole number, got 'lots'
entry.yml:17: health.port: compose.yml does not publish 9; 127.0.0.1:9:9 is enough
entry.yml:18: resources.recommended.memory_mb: 256 is less than the minimum 512
entry.yml:19: files[0].target: compose.yml does not use ./files/app.conf
entry.yml:20: first_login.secret: there is no secret PASSWORD; Known: TOKEN
entry.yml:21: dumps[0].service: compose.yml has no service db; Known: web
entry.yml:22: updates.tags.web: ^v[0-9]+$ does not match the pinned tag 1.2.3
compose.yml:4: services.web.ports: 2222/tcp is published, but is neither web.port nor in ports of entry.yml
compose.yml:4: services.web.ports: 8080/tcp is published, but is neither web.port nor in ports of entry.yml
compose.yml:5: ${SZE} is no option, no secret and no value of the platform, and has no default; did you mean SIZE?
compose.yml:6: services.web.volumes: ./files/ap.conf is not among files of entry.yml
compose.yml:8: volumes.data: is not described in volumes of entry.yml; say its kind and whether a backup needs it
"""
TOLD_OF_CARELESS = """\
entry.yml:5: version: no image of compose.yml is pinned to 1.2.3
compose.yml:1: version: is obsolete; leave it out
compose.yml:3: services.web: expected a healthcheck, or compose.services.web.healthcheck in unproven of entry.yml
compose.yml:3: services.web: expected logging with driver json-file and options max-size and max-file
compose.yml:3: services.web: expected restart: unless-stopped
compose.yml:4: services.web.image: example/web:latest moves; pin a version, or a digest where there is none
compose.yml:5: services.web.privileged: takes the walls down between the app and its guest; leave it out
compose.yml:6: services.web.network_mode: host needs requirements.host_network: required in entry.yml
compose.yml:7: services.web.devices: say so in requirements of entry.yml
compose.yml:8: services.web.ulimits: an unprivileged container may be refused a higher limit
compose.yml:10: services.web.environment.DB_PASSWORD: looks like a secret in plain text; declare it in secrets of entry.yml
compose.yml:11: services.web.volumes: /srv is a folder of the guest; use a named volume
"""


@pytest.mark.parametrize(
    ("entry", "compose", "rules", "expected"),
    [
        (MISSHAPEN, MISSHAPEN_COMPOSE, False, TOLD_OF_MISSHAPEN),
        (CONTRADICTORY, CONTRADICTORY_COMPOSE, False, TOLD_OF_CONTRADICTORY),
        (CARELESS, CARELESS_COMPOSE, True, TOLD_OF_CARELESS),
    ],
    ids=["misshapen", "contradictory", "careless"],
)
def test_each_mistake_has_its_line(tmp_path: Path, entry: str, compose: str, rules: bool, expected: str) -> None:
    folder = tmp_path / "wrong"
    (folder / "files").mkdir(parents=True)
    (folder / "files/app.conf").write_text("x\n")
    (folder / "entry.yml").write_text(entry)
    (folder / "compose.yml").write_text(compose)
    outcome = ACTIONS["validate"](params(catalog_paths=[str(tmp_path)], ids=["wrong"], rules=rules))
    heading, *lines = outcome.failure.split("\n")
    wanted = expected.splitlines()
    assert heading == f"Mistakes ({len(wanted)}; entries checked: 1):"
    told = sorted((line.removeprefix(f"{folder}/") for line in lines), key=_place)
    assert [line[: len(each)] for line, each in zip(told, wanted, strict=True)] == wanted


def _place(line: str) -> tuple[bool, int, str]:
    file, number, text = line.split(":", 2)
    return file != "entry.yml", int(number), text
