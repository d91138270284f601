"""An entry with all that these tests need: web pages, an option, a password, and a variable that is free."""

from __future__ import annotations

from typing import Any

DEFINITION: dict[str, Any] = {
    "schema": 1,
    "id": "hello",
    "name": "Hello",
    "version": "1.0.0",
    "description": "Says hello to whoever asks for it.",
    "category": "test",
    "links": {"site": "https://example.org", "source": "https://example.org"},
    "architectures": ["amd64"],
    "web": {"service": "hello", "port": 8080, "scheme": "http", "path": "/"},
    "options": {
        "greeting": {"env": "GREETING", "type": "string", "default": "hello", "help": "What it says."},
        "pin": {"env": "PIN", "type": "password", "default": "", "help": "Who may read it."},
    },
    "health": {"type": "http", "port": 8080, "path": "/"},
    "resources": {"recommended": {"cores": 1, "memory_mb": 256, "swap_mb": 0, "disk_gb": 2}},
    "compose": """services:
  hello:
    image: hello:1.0.0
    ports: ["8080:8080"]
    environment:
      GREETING: ${GREETING}
      PIN: ${PIN}
      EXTRA: ${EXTRA:-none}
""",
    "services": {"hello": "hello:1.0.0"},
}
