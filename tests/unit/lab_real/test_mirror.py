"""The mirror comes from the machine's apt sources, whatever else stands there."""

from __future__ import annotations

import pytest
from lab.guests.runtime import RuntimeFailure
from lab.real.mirror import Mirror, choose, guest_uri


def test_the_distributions_own_mirror_is_chosen() -> None:
    found = choose(
        [
            "https://vendor.example/apt vendor-bookworm main",
            "https://other.example/linux/debian bookworm stable",
            "http://mirror.example/debian/ bookworm main",
            "http://mirror.example/debian/ bookworm contrib",
            "http://mirror.example/debian/ bookworm-updates main",
            "http://security.example/debian-security/ bookworm-security main",
        ],
        "bookworm",
    )
    assert found == Mirror("http://mirror.example/debian", "http://security.example/debian-security", updates=True)
    assert found.hosts() == ("mirror.example", "security.example")


def test_a_suite_by_its_generic_name_counts() -> None:
    assert choose(["https://mirror.example/debian/ stable main"], "trixie") == Mirror("https://mirror.example/debian")


@pytest.mark.parametrize(
    "line", ["cdrom:[Debian] bookworm main", "mirror+file:/etc/apt/mirrors.txt bookworm main", "http://m.example/d jammy main"]
)
def test_no_debian_mirror_is_said_plainly(line: str) -> None:
    with pytest.raises(RuntimeFailure, match="PROXIMITY_LAB_MIRROR"):
        choose([line], "bookworm")


def test_guests_write_plain_http_without_credentials() -> None:
    assert guest_uri("https://user:secret@mirror.example:8443/debian/") == "http://mirror.example/debian"


def test_sources_name_another_suite_on_the_same_mirror() -> None:
    text = Mirror("https://mirror.example/debian", "https://mirror.example/debian-security", updates=True).sources("trixie")
    assert "URIs: http://mirror.example/debian\nSuites: trixie trixie-updates\n" in text
    assert "URIs: http://mirror.example/debian-security\nSuites: trixie-security\n" in text
    assert "security" not in Mirror("http://mirror.example/debian").sources("trixie")
