"""The header section of a request: what of it a service gets, and what ends at the gateway."""

import pytest

from sluicegate.errors import Refusal
from sluicegate.lockdown import head

HOST = (b"Host", b"api.test")


@pytest.mark.parametrize(
    "name",
    [
        b"X-Forwarded-For", b"x-forwarded-user", b"X-Forwarded-Preferred-Username", b"X-Forwarded-Client-Cert", b"Forwarded",
        b"X-Real-IP", b"True-Client-IP", b"CF-Connecting-IP", b"Remote-User", b"X-Remote-User", b"X-Remote-Group",
        b"X-Remote-Extra-Scopes", b"X-Auth-Request-Email", b"X-WebAuth-User", b"X-Goog-Authenticated-User-Email",
        b"X-Amzn-Oidc-Identity", b"Cf-Access-Authenticated-User-Email", b"X-MS-CLIENT-PRINCIPAL", b"X-MS-CLIENT-PRINCIPAL-NAME",
        b"Tailscale-User-Login", b"X-Envoy-External-Address", b"Expect", b"TE", b"Keep-Alive",
    ],
)  # fmt: skip
def test_what_a_client_says_of_itself_in_the_words_of_a_server_in_front_ends_here(name):
    assert head.read((HOST, (name, b"root"))).onward == (HOST,)


@pytest.mark.parametrize("name", [b"X-Forwarded", b"X-Remotely", b"Cf-Ray", b"User", b"X-Trino-User", b"Accept"])
def test_what_only_looks_like_it_goes_on(name):
    assert head.read((HOST, (name, b"a"))).onward == (HOST, (name, b"a"))


@pytest.mark.parametrize(
    "name",
    [
        b"es-security-runas-user", b"Impersonate-User", b"Impersonate-Group", b"impersonate-extra-scopes", b"Impersonate-Uid",
        b"Sudo", b"MSCRMCallerID", b"X-Forwarded-Path", b"X-Forwarded-Host", b"X-Original-Method",
    ],
)  # fmt: skip
def test_what_makes_another_request_of_it_is_refused(name):
    # The service's own secret may well be allowed to act for anybody.
    with pytest.raises(Refusal) as caught:
        head.read((HOST, (name, b"root")))
    assert caught.value.status == 400 and name.decode().lower() in caught.value.detail


@pytest.mark.parametrize(("values", "length"), [([], None), ([b"0"], 0), ([b"12"], 12)])
def test_what_it_says_of_the_length_of_its_body(values, length):
    assert head.read((HOST, *((b"Content-Length", value) for value in values))).length == length
