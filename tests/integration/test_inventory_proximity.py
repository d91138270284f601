"""The inventory of one and of several clusters, read as Ansible reads it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import lab as labs
import pytest
import yaml
from ansible import constants
from ansible.errors import AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.inventory.helpers import get_group_vars
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import fragment_loader
from ansible.template import Templar
from ansible.utils.plugin_docs import get_docstring
from ansible_collections.proximity.platform.plugins.inventory import proximity
from integration.fleet import grow_fleet, plant_app

Read = Callable[..., InventoryData]
NAME = "proximity.platform.proximity"


@pytest.fixture(scope="module", autouse=True)
def _options() -> None:
    """What Ansible's plugin loader does, which would look for collections in another place than pytest."""
    docs = get_docstring(proximity.__file__, fragment_loader, plugin_type="inventory", collection_name="proximity.platform")[0]
    constants.config.initialize_plugin_configuration_definitions("inventory", NAME, docs["options"])


@pytest.fixture
def cluster(lab: labs.Lab, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """How a source names the lab; its secret is in the environment."""
    token_id, _sign, secret = lab.token.partition("=")
    monkeypatch.setenv("LAB_SECRET", secret)
    template = "{{ lookup('env', 'LAB_SECRET') }}"
    about = {"name": "home", "api_host": "127.0.0.1", "api_port": urlsplit(lab.url).port, "ca_path": str(lab.ca_path), "api_retry_s": 0}
    return {**about, "api_token_id": token_id, "api_token_secret": template}


@pytest.fixture
def dead() -> dict[str, Any]:
    return {"name": "dead", "api_host": "127.0.0.1", "api_port": 1, "api_token_id": "x@pve!y", "api_token_secret": "z", "api_retry_s": 0}


@pytest.fixture
def read(tmp_path: Path, cluster: dict[str, Any]) -> Read:
    def run(clusters: list[dict[str, Any]] | None = None, **options: Any) -> InventoryData:
        source, inventory, plugin = tmp_path / "all.proximity.yml", InventoryData(), proximity.InventoryModule()
        source.write_text(yaml.safe_dump({"plugin": NAME, "clusters": clusters or [cluster], **options}))
        plugin._load_name, plugin._redirected_names, plugin.ansible_name = NAME, [NAME], NAME
        assert plugin.verify_file(str(source))
        plugin.parse(inventory, DataLoader(), str(source))
        if options.get("cache"):
            plugin.update_cache_if_changed()
        inventory.reconcile_inventory()
        return inventory

    return run


@pytest.fixture
def three(lab: labs.Lab) -> labs.Lab:
    plant_app(lab, 8100, "feeds")
    plant_app(lab, 8101, "code", running=False)
    plant_app(lab, 8102, "own", ours=False, tags="backup")
    return lab


def _hosts(inventory: InventoryData, group: str = "all") -> list[str]:
    return sorted(host.name for host in inventory.groups[group].get_hosts())


def _vars(inventory: InventoryData, name: str) -> dict[str, Any]:
    host = inventory.hosts[name]
    return {**get_group_vars(host.get_groups()), **host.get_vars()}


def test_5000_guests_take_two_calls(lab: labs.Lab, read: Read) -> None:
    grow_fleet(lab)
    lab.journal_book.clear()
    inventory = read()
    assert [entry.path for entry in lab.journal()] == ["/cluster/resources", "/cluster/status"]
    assert len(_hosts(inventory)) == 4500
    assert len(_hosts(inventory, "node_pve1")) == 313


def test_groups_and_variables(three: labs.Lab, read: Read) -> None:
    inventory = read(records=True, unmanaged=True)
    assert _hosts(inventory, "cluster_home") == ["code", "feeds", "own"]
    groups = {"proximity_managed": ["code", "feeds"], "proximity_unmanaged": ["own"], "entry_gitea": ["code"], "owner_anna": ["feeds"]}
    groups |= {"status_running": ["feeds", "own"], "status_stopped": ["code"], "node_pve1": ["code", "feeds", "own"], "tag_backup": ["own"]}
    assert {name: _hosts(inventory, name) for name in groups} == groups
    found = _vars(inventory, "feeds")
    assert (found["proximity_vmid"], found["proximity_node"], found["proximity_cluster"]) == (8100, "pve1", "home")
    assert found["ansible_connection"] == "proximity.platform.pct"
    assert found["proximity_guest"]["url"] == "http://10.0.0.1:8080/"


def test_the_way_to_the_nodes(three: labs.Lab, read: Read, cluster: dict[str, Any]) -> None:
    way = {"node_hosts": {"pve1": "192.0.2.1"}, "jump_host": "admin@bastion", "node_user": "automation", "pct_command": "sudo -n pct"}
    found = _vars(read([{**cluster, **way, "vars": {"docker_timezone": "UTC"}}]), "feeds")
    assert found["proximity_node_hosts"] == {"pve1": "192.0.2.1"}
    assert found["proximity_node_ssh_common_args"] == "-o ProxyJump=admin@bastion"
    assert (found["proximity_node_user"], found["proximity_pct_command"], found["docker_timezone"]) == ("automation", "sudo -n pct", "UTC")


def test_nodes_have_the_addresses_that_the_cluster_tells(three: labs.Lab, read: Read, cluster: dict[str, Any]) -> None:
    token_id, _sign, secret = three.tokens["root@pam!test"].partition("=")
    found = _vars(read([{**cluster, "api_token_id": token_id, "api_token_secret": secret}]), "feeds")
    assert found["proximity_node_hosts"] == {"pve1": "127.0.0.1"}


def test_straight_by_ssh(three: labs.Lab, read: Read, cluster: dict[str, Any]) -> None:
    found = _vars(read([{**cluster, "jump_host": "admin@bastion"}], connection="ssh"), "feeds")
    assert found["ansible_connection"] == "ssh"
    assert found["ansible_host"].startswith("10.231.0.")
    assert found["ansible_ssh_common_args"] == "-o ProxyJump=admin@bastion"


def test_constructed_features(three: labs.Lab, read: Read) -> None:
    keyed = [{"key": "proximity_guest.entry", "prefix": "is"}]
    inventory = read(compose={"slot": "proximity_vmid - 8100"}, groups={"first": "slot | int == 0"}, keyed_groups=keyed, strict=True)
    assert _vars(inventory, "code")["slot"] in (1, "1")
    assert (_hosts(inventory, "first"), _hosts(inventory, "is_gitea")) == (["feeds"], ["code"])


def test_filters(three: labs.Lab, read: Read) -> None:
    assert _hosts(read(filters={"status": ["running"]}, unmanaged=True)) == ["feeds", "own"]


def test_a_dead_cluster_does_not_stop_the_others(
    three: labs.Lab, read: Read, cluster: dict[str, Any], dead: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    inventory = read([dead, cluster])
    assert _hosts(inventory) == ["code", "feeds"]
    assert _hosts(inventory, "cluster_dead") == []
    assert "Cluster dead cannot be read" in capfd.readouterr().err


def test_a_dead_cluster_is_an_error_where_that_is_wished(
    three: labs.Lab, read: Read, cluster: dict[str, Any], dead: dict[str, Any]
) -> None:
    with pytest.raises(AnsibleParserError, match="Cluster dead cannot be read"):
        read([dead, cluster], on_unreachable="error")


def test_the_same_name_twice_is_told_apart(three: labs.Lab, read: Read, cluster: dict[str, Any]) -> None:
    plant_app(three, 8110, "code")
    inventory = read([cluster, {**cluster, "name": "office"}])
    wanted = ["code-8101", "code-8110", "feeds"]
    assert _hosts(inventory) == sorted(f"{name}.{site}" for name in wanted for site in ("home", "office"))
    assert _hosts(read(qualified=True)) == ["code-8101.home", "code-8110.home", "feeds.home"]


def test_the_cache_is_asked_first_and_knows_no_secret(three: labs.Lab, read: Read, tmp_path: Path) -> None:
    cache = {"cache": True, "cache_plugin": "jsonfile", "cache_connection": str(tmp_path / "cache")}
    first = _hosts(read(**cache))
    three.journal_book.clear()
    assert _hosts(read(**cache)) == first
    assert three.journal() == []
    secret = three.token.partition("=")[2]
    assert all(secret not in file.read_text() for file in (tmp_path / "cache").iterdir())
    read(**cache, unmanaged=True)
    assert three.journal() != [], "another question is asked anew"


def test_the_cache_keeps_each_cluster_for_itself(
    three: labs.Lab, read: Read, cluster: dict[str, Any], dead: dict[str, Any], tmp_path: Path
) -> None:
    cache = {"cache": True, "cache_plugin": "jsonfile", "cache_connection": str(tmp_path / "cache")}
    assert _hosts(read([dead, cluster], **cache)) == ["code", "feeds"]
    three.journal_book.clear()
    assert _hosts(read([dead, cluster], **cache)) == ["code", "feeds"]
    assert three.journal() == [], "what the living one told is kept"
    revived = {**cluster, "name": "dead"}
    assert "code.dead" in _hosts(read([revived, cluster], **cache))
    assert {call.path for call in three.journal()} == {"/cluster/resources", "/cluster/status"}
    assert len(three.journal()) == 2, "only the one that came back is asked"


def test_what_stands_in_notes_is_never_a_template(three: labs.Lab, read: Read) -> None:
    config = three.cluster.guests[8100].config
    config["description"] = config["description"].replace('"anna"', '"{{ 1 + 1 }}"')
    found = _vars(read(records=True), "feeds")
    shown = Templar(DataLoader(), variables=found).template(found["proximity_guest"])
    assert shown["owner"] == shown["record"]["owner"] == "{{ 1 + 1 }}"


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"clusters": [{"api_host": "x"}]}, "missing required arguments: name"),
        ({"clusters": [{"name": "a", "api_hots": "x"}]}, "api_hots"),
        ({"filters": {"state": ["x"]}}, "filters: state"),
    ],
)
def test_a_source_that_makes_no_sense_is_refused(read: Read, wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(AnsibleParserError, match=sentence):
        read(**wrong)
