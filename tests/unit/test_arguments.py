"""How a connection is read from parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.proximity.platform.plugins.module_utils.arguments import connection_arguments, connection_of
from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError

GIVEN = {name: spec.get("default") for name, spec in connection_arguments().items()} | {
    "api_host": "pve1",
    "api_user": "proximity@pve",
    "api_token_id": "demo",
    "api_token_secret": "hush-hush",
}


def test_token_with_its_user() -> None:
    connection = connection_of(GIVEN)
    assert (connection.who, connection.address) == ("token proximity@pve!demo", "https://pve1:8006")
    assert connection.validate_certs
    assert "hush-hush" not in repr(connection)


def test_token_named_in_full_needs_no_user() -> None:
    assert connection_of({**GIVEN, "api_user": None, "api_token_id": "ada@pve!one"}).who == "token ada@pve!one"


def test_password() -> None:
    connection = connection_of({**GIVEN, "api_token_id": None, "api_token_secret": None, "api_password": "hush-hush"})
    assert connection.who == "user proximity@pve"
    assert "hush-hush" not in repr(connection)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"api_host": None}, "api_host is missing: name a node of the cluster, or set PROXIMITY_API_HOST."),
        ({"api_host": "https://pve1:8006"}, "give a host's name or address alone; the port is api_port."),
        ({"api_user": None}, "api_user is '': give a user with its realm, such as proximity@pve."),
        ({"api_user": "root"}, "api_user is 'root': give a user with its realm"),
        ({"api_token_secret": None}, "The secret of token proximity@pve!demo is missing"),
        ({"api_token_id": None, "api_token_secret": None}, "It is not said how proximity@pve logs in"),
        ({"ca_path": "/nowhere/ca.pem"}, "ca_path is /nowhere/ca.pem, and there is no such file."),
    ],
)
def test_incomplete_connection_is_refused(changed: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SpecError) as refusal:
        connection_of({**GIVEN, **changed})
    assert sentence in str(refusal.value)


def test_own_authority(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    assert connection_of({**GIVEN, "ca_path": str(tmp_path / "ca.pem")}).ca_path == str(tmp_path / "ca.pem")
