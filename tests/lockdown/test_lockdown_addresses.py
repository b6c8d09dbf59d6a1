"""Addresses: what may be dialled, in every spelling that a resolver or a raw client could bring."""

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.lockdown.addresses import NEVER, AddressRefused, check, plain

LAN = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
EVERYTHING = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))

REFUSED_WITHOUT_NETWORKS = [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "198.18.0.1", "0.0.0.0", "255.255.255.255",
    "224.0.0.1", "169.254.169.254", "::1", "::", "fe80::1", "fc00::1", "ff02::1",
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1", "::ffff:0:127.0.0.1", "::ffff:0:169.254.169.254", "fec0::1", "400::1", "5f00::1", "e000::1",
    "2002:7f00:1::", "2002:a9fe:a9fe::", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "fe80::1%eth0",
]  # fmt: skip


@pytest.mark.parametrize("address", REFUSED_WITHOUT_NETWORKS)
def test_private_and_reserved_addresses_are_refused(address):
    with pytest.raises(AddressRefused):
        check(address, 443, (), set())


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_public_addresses_pass(address):
    check(address, 443, (), set())


@pytest.mark.parametrize("address", ["10.1.2.3", "127.0.0.1", "::1", "::ffff:10.0.0.1"])
def test_listed_networks_pass(address):
    check(address, 443, LAN, set())


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "fe80::1",
        "fd00:ec2::254",
        "100.100.100.200",
        "0.0.0.0",
        "224.0.0.251",
        "::ffff:169.254.1.1",
        "::ffff:0:169.254.169.254",
    ],
)
def test_metadata_and_link_local_are_refused_even_when_listed(address):
    with pytest.raises(AddressRefused):
        check(address, 80, EVERYTHING, set())


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "127.8.9.10", "::ffff:127.0.0.1"])
def test_the_gateway_itself_is_refused_even_when_listed(address):
    with pytest.raises(AddressRefused, match="itself"):
        check(address, 8080, EVERYTHING, {8080})
    check(address, 8081, EVERYTHING, {8080})


def test_an_address_of_another_interface_of_this_machine_is_the_gateway_itself():
    own = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None)} - {"127.0.0.1", "::1"}
    for address in own:
        with pytest.raises(AddressRefused):
            check(address.split("%")[0], 8080, EVERYTHING, {8080})


@given(st.ip_addresses())
def test_never_means_never_and_embedding_hides_nothing(address):
    inner = plain(address)
    if any(inner in network for network in NEVER):
        with pytest.raises(AddressRefused):
            check(str(address), 443, EVERYTHING, set())
    if inner.version == 4:
        mapped = f"::ffff:{inner}"
        outcomes = []
        for text in (str(inner), mapped):
            try:
                check(text, 443, (), set())
                outcomes.append(True)
            except AddressRefused:
                outcomes.append(False)
        assert outcomes[0] == outcomes[1]
