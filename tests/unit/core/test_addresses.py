"""Only what anybody may be sent to is public, however it is written."""

import pytest

from core.addresses import Reach, is_public

PUBLIC = ["93.184.216.34", "1.1.1.1", "2606:4700::1111", "2a00:1450:4001::200e", "::ffff:93.184.216.34"]
INSIDE = {
    "loopback": ["127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1"],
    "any": ["0.0.0.0", "0.1.2.3", "::", "::ffff:0.0.0.0"],
    "private": [
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "fc00::1",
        "fd12:3456::1",
        "::ffff:10.1.2.3",
    ],
    "link-local": ["169.254.0.1", "fe80::1", "fe80::1%eth0", "::ffff:169.254.1.1"],
    "metadata": ["169.254.169.254", "100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254"],
    "shared": ["100.64.0.1", "100.127.255.255"],
    "multicast and broadcast": ["224.0.0.1", "239.1.2.3", "255.255.255.255", "ff02::1"],
    "reserved": ["240.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "192.88.99.1", "2001:db8::1"],
    "with another address inside": [
        "::127.0.0.1",
        "64:ff9b::127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "2001:0:7f00:1::1",
    ],
    "no address": [
        "",
        "localhost",
        "example.com",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.0.0.1 ",
        "1",
    ],
}


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address", [pytest.param(each, id=f"{kind}: {each}") for kind, some in INSIDE.items() for each in some]
)
def test_what_leads_inside_is_not(address: str) -> None:
    assert not is_public(address)


def test_what_a_translating_resolver_makes_of_a_public_address_is_public() -> None:
    assert is_public("64:ff9b::5db8:d822")


def test_named_networks_are_within_reach_and_nothing_beside_them() -> None:
    reach = Reach(["10.1.0.0/16", "fd00:1::/32"])
    assert [reach.allows(text) for text in ("10.1.2.3", "::ffff:10.1.2.3", "fd00:1::5", "1.1.1.1")] == [True] * 4
    assert [reach.allows(text) for text in ("10.2.0.1", "fd00:2::5", "127.0.0.1", "fd00:1::5%eth0")] == [False] * 4
    assert [reach.named(text) for text in ("10.1.2.3", "1.1.1.1")] == [True, False]


def test_a_network_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"10\.1\.2\.3/16"):
        Reach(["10.1.2.3/16"])
