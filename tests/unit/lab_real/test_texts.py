"""What the lab's real guests are configured with: LXC, network files, node DNS, apt cache. Pure text."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab.guests.runtime import RuntimeFailure
from lab.real.guest_files import BEGIN, END, Found, at_start, interfaces, networkd, shadow_with_password, with_section
from lab.real.layout import NodeAddresses
from lab.real.lxc_config import Host, limits, lxc_config, seccomp_profile
from lab.real.mirror import Mirror
from lab.real.node import dnsmasq_config
from lab.real.prepare import conf_text
from lab.real.properties import core_count, features, hostname, mount_points, nic, nics, parse
from lab.real.services import cache_config

CONFIG = {
    "hostname": "web1",
    "memory": 512,
    "cores": 2,
    "features": "nesting=1",
    "net0": "name=eth0,bridge=vmbr0,gw=10.231.0.1,hwaddr=BC:24:11:00:00:01,ip=10.231.0.20/24,type=veth",
    "net1": "name=eth1,bridge=vmbr1,tag=20,mtu=1400,ip=dhcp",
    "net2": "name=eth2,bridge=vmbr1,ip=10.231.1.20/24,link_down=1",
}
HOST = Host(unified=False, group="lab/120")


def test_property_string_is_read() -> None:
    assert parse("local:120/disk.raw,size=4G", default_key="volume") == {"volume": "local:120/disk.raw", "size": "4G"}
    with pytest.raises(RuntimeFailure, match="has no value"):
        parse("eth0,bridge=vmbr0")


def test_networks_are_read_in_order() -> None:
    first, second, third = nics(CONFIG)
    assert (first.name, first.bridge, first.segment, first.ip, first.gateway) == ("eth0", "vmbr0", "vmbr0", "10.231.0.20/24", "10.231.0.1")
    assert (second.segment, second.mtu, second.link_down, second.veth(120)) == ("vmbr1v20", 1400, False, "veth120i1")
    assert (third.link_down, third.veth(120)) == (True, "veth120i2")


def test_network_without_bridge_is_refused() -> None:
    with pytest.raises(RuntimeFailure, match="net3 names no bridge"):
        nic(3, "name=eth3")


def test_vlan_of_a_long_bridge_name_is_refused() -> None:
    with pytest.raises(RuntimeFailure, match="longer than 15"):
        _ = nic(0, "name=eth0,bridge=averylongbridge,tag=4").segment


@pytest.mark.parametrize(
    ("config", "cores"),
    [({}, None), ({"cores": 2}, 2), ({"cores": 4, "cpulimit": "1.5"}, 1.5), ({"cpulimit": "0"}, None), ({"cores": 1, "cpulimit": "0"}, 1)],
)
def test_cpu_share_is_the_lower_of_cores_and_limit(config: dict[str, object], cores: float | None) -> None:
    assert core_count(config) == cores


def test_features_and_names_and_mount_points() -> None:
    assert features({"features": "nesting=1,keyctl=0"}) == {"nesting": True, "keyctl": False}
    assert features({}) == {}
    assert hostname(120, {}) == "CT120"
    assert mount_points({"mp1": "store:vm-1,mp=/data,size=1G", "mp0": "store:vm-0,mp=/srv/../etc", "memory": 1}) == {1: "/data"}


def test_lxc_config_of_a_guest() -> None:
    text = lxc_config(120, CONFIG, HOST)
    for line in (
        "lxc.uts.name = web1",
        "lxc.rootfs.path = dir:/var/lib/lxc/120/rootfs",
        "lxc.idmap = u 0 100000 65536",
        "lxc.include = /usr/share/lxc/config/nesting.conf",
        "lxc.cgroup.memory.limit_in_bytes = 536870912",
        "lxc.cgroup.cpu.cfs_quota_us = 200000",
        "lxc.net.0.veth.pair = veth120i0",
        "lxc.net.0.hwaddr = bc:24:11:00:00:01",
        "lxc.net.1.link = vmbr1v20",
        "lxc.net.1.mtu = 1400",
    ):
        assert line in text.splitlines(), line
    assert "lxc.net.0.flags = up" in text


def test_interface_without_a_cable_is_down_and_on_no_bridge_before_anything_runs() -> None:
    text = lxc_config(120, CONFIG, HOST)
    assert "lxc.net.2.flags" not in text and "lxc.net.2.link" not in text
    assert text.count("lxc.hook.start-host") == text.count("ip link set veth120i2 down") == 1


def test_lxc_config_is_unprivileged_whatever_is_asked() -> None:
    assert "lxc.idmap = u 0 100000 65536" in lxc_config(120, {"unprivileged": 0}, HOST)


def test_guest_without_networks_has_an_empty_one() -> None:
    assert "lxc.net.0.type = empty" in lxc_config(120, {}, HOST)


def test_limits_in_both_versions_of_control_groups() -> None:
    assert limits({"memory": 256, "cpulimit": "0.5"}, unified=True) == {"memory.max": "268435456", "cpu.max": "50000 100000"}
    assert limits({"memory": 256}, unified=True)["cpu.max"] == "max 100000"
    assert limits({"memory": 256}, unified=False) == {"memory.limit_in_bytes": "268435456", "cpu.cfs_quota_us": "-1"}


def test_without_nesting_docker_cannot_start() -> None:
    assert seccomp_profile({}, "2\n") == "2\npivot_root errno 13\nkeyctl errno 38\n"
    assert seccomp_profile({"features": "nesting=1,keyctl=1"}, "2\n") == "2\n"


def test_interfaces_file() -> None:
    text = interfaces(nics(CONFIG))
    assert "auto eth0\niface eth0 inet static\n\taddress 10.231.0.20/24\n\tgateway 10.231.0.1\n" in text
    assert "auto eth1\niface eth1 inet dhcp\n" in text


def test_gateway_outside_the_network_gets_a_route_of_its_own() -> None:
    text = interfaces([nic(0, "name=eth0,bridge=vmbr0,ip=10.0.0.2/32,gw=10.0.0.1,ip6=auto")])
    assert "\tpost-up ip route add 10.0.0.1 dev eth0\n" in text
    assert "iface eth0 inet6 auto\n" in text


def test_networkd_file() -> None:
    text = networkd(nic(0, "name=eth0,bridge=vmbr0,ip=10.0.0.2/24,gw=10.0.0.1"))
    assert "Name = eth0\n" in text
    assert "DHCP = no\n" in text
    assert "Address = 10.0.0.2/24\nGateway = 10.0.0.1\n" in text
    assert "DHCP = ipv4" in networkd(nic(0, "name=eth0,bridge=vmbr0,ip=dhcp"))


@pytest.mark.parametrize(
    ("found", "path"),
    [
        (Found(ifupdown=True, networkd=True), "etc/network/interfaces"),
        (Found(ifupdown=False, networkd=True), "etc/systemd/network/eth0.network"),
    ],
)
def test_network_files_follow_what_the_root_holds(found: Found, path: str) -> None:
    assert path in [file.path for file in at_start(120, CONFIG, found, "10.231.0.1")]


def test_names_use_the_nodes_resolver_unless_told() -> None:
    found = Found(ifupdown=False, networkd=False)
    files = {file.path: file.text for file in at_start(120, CONFIG, found, "10.231.0.1")}
    assert files["etc/hostname"] == "web1\n"
    assert "10.231.0.20 web1.lab web1\n" in files["etc/hosts"]
    assert "nameserver 10.231.0.1\n" in files["etc/resolv.conf"]
    told = {
        file.path: file.text for file in at_start(120, {"nameserver": "9.9.9.9 8.8.8.8", "searchdomain": "a.example"}, found, "10.231.0.1")
    }
    assert "search a.example\nnameserver 9.9.9.9\nnameserver 8.8.8.8\n" in told["etc/resolv.conf"]


def test_the_users_lines_stay_around_our_section() -> None:
    once = with_section("127.0.0.1 localhost\n", "10.0.0.2 a")
    assert once == f"{BEGIN}\n10.0.0.2 a\n{END}\n127.0.0.1 localhost\n"
    assert with_section("before\n" + once, "10.0.0.3 b") == f"before\n{BEGIN}\n10.0.0.3 b\n{END}\n127.0.0.1 localhost\n"


def test_password_changes_roots_line_only() -> None:
    assert shadow_with_password("root:*:1:2:3:::\nbin:*:1::::::\n", "$6$x") == "root:$6$x:1:2:3:::\nbin:*:1::::::\n"


def test_conf_is_written_as_proxmox_writes_it() -> None:
    text = conf_text({"memory": 512, "description": "# App\nline\n", "arch": "amd64", "ssh-public-keys": "ssh-ed25519 x", "digest": "d"})
    assert text == "## App\n#line\narch: amd64\nmemory: 512\n"


def test_node_addresses() -> None:
    first, third = NodeAddresses(0), NodeAddresses(2)
    assert (first.network, first.node, first.dhcp) == ("10.231.0.0/24", "10.231.0.1", ("10.231.0.100", "10.231.0.199"))
    assert (third.node, third.uplink_machine, third.uplink_node, third.veth) == ("10.231.32.1", "10.231.254.9", "10.231.254.10", "proxlab2")


def test_node_dns_knows_the_mirror_and_refuses_the_rest() -> None:
    lines = dnsmasq_config("pve1", NodeAddresses(0), ["mirror.example", "mirror.example"]).splitlines()
    assert lines.count("host-record=mirror.example,10.231.255.1") == 1
    assert "local=/#/" in lines
    assert "no-resolv" in lines
    assert "dhcp-range=10.231.0.100,10.231.0.199,255.255.255.0,1h" in lines


def test_apt_cache_serves_the_machines_mirror_only() -> None:
    mirror = Mirror("https://mirror.example/debian", "https://mirror.example/debian-security", proxy="http://proxy.example:3128")
    lines = cache_config(mirror, Path("/c")).splitlines()
    assert "Remap-lab0: http://mirror.example/debian /debian ; https://mirror.example/debian" in lines
    assert "Remap-lab1: http://mirror.example/debian-security /debian-security ; https://mirror.example/debian-security" in lines
    assert "Proxy: http://proxy.example:3128" in lines
