# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A small definition without mistakes, to be changed by tests."""

from __future__ import annotations

from typing import Any

import pytest

COMPOSE = """\
services:
  web:
    image: example/web:1.2.3
    restart: unless-stopped
    ports: ["8080:80"]
    environment:
      TITLE: ${TITLE}
      WORKERS: ${WORKERS}
      TOKEN: ${API_TOKEN}
      URL: ${APP_URL}
      MODE: ${MODE:-plain}
    volumes: ["data:/data", "./files/app.conf:/etc/app.conf:ro"]
    healthcheck: {test: [CMD, "true"]}
    logging: {driver: json-file, options: {max-size: 1m, max-file: "2"}}
volumes:
  data: {}
"""


@pytest.fixture
def definition() -> dict[str, Any]:
    return {
        "schema": 1,
        "id": "sample",
        "name": "Sample",
        "version": "1.2.3",
        "description": "An app that exists in tests only.",
        "category": "tests",
        "links": {"site": "https://example.com"},
        "architectures": ["amd64"],
        "web": {"service": "web", "port": 8080},
        "volumes": {"data": {"kind": "data", "backup": True}},
        "secrets": {"API_TOKEN": {"kind": "alnum", "length": 32}},
        "options": {
            "title": {"env": "TITLE", "type": "string", "default": "Hello", "pattern": "[A-Za-z' $]{1,20}", "help": "Letters."},
            "workers": {"env": "WORKERS", "type": "integer", "default": 2, "choices": [1, 2, 4]},
        },
        "health": {"type": "http", "port": 8080},
        "resources": {"recommended": {"cores": 1, "memory_mb": 256, "swap_mb": 0, "disk_gb": 2}},
        "files": [{"source": "files/app.conf", "target": "app.conf", "content": "key = value\n"}],
        "first_login": {"user": "${TITLE}", "secret": "API_TOKEN"},
        "compose": COMPOSE,
        "services": {"web": "example/web:1.2.3"},
    }
