"""Addresses of brokers."""

from __future__ import annotations

import pytest

from hearthwatch.errors import Invalid
from hearthwatch.messaging import open_publisher, open_subscriber
from hearthwatch.messaging.address import local_name, parse_broker


@pytest.mark.parametrize(
    "address",
    [
        "http://host",
        "mqtt://",
        "mqtt://host:port",
        "mqtt://host:99999",
        "mqtt://host/path",
        "mqtt://host?unknown=1",
        "mqtt://host?protocol=4",
        "mqtt://host?keepalive=0",
        "mqtt://host?window=many",
        "mqtt://host?window=٣",
    ],
)
def test_what_is_no_address_of_a_broker_is_refused(address: str) -> None:
    with pytest.raises(Invalid):
        parse_broker(address)


@pytest.mark.parametrize("address", ["mqtt://user:s3cret@host?x=1", "mqtt://user:s3cret@host:x", "ftp://u:s3cret@h"])
def test_no_complaint_shows_the_password(address: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_broker(address)
    assert "s3cret" not in str(refused.value)


def test_an_address_for_logs_has_neither_user_nor_password() -> None:
    address = parse_broker("mqtts://me:s3cret@broker.example:8884")
    assert str(address) == "mqtts://broker.example:8884"
    assert "s3cret" not in repr(address)


def test_ports_and_options_have_defaults() -> None:
    plain, secure = parse_broker("mqtt://host"), parse_broker("mqtts://host")
    assert (plain.port, plain.tls, secure.port, secure.tls) == (1883, False, 8883, True)
    assert (plain.user, plain.password, plain.protocol, plain.stock) == (None, None, "auto", False)


def test_user_and_password_may_hold_any_character() -> None:
    address = parse_broker("mqtt://a%40b:p%3A%2Fw@[::1]:1999?keepalive=60&window=5&user_property=u&client=stock")
    assert (address.user, address.password, address.host, address.port) == ("a@b", "p:/w", "::1", 1999)
    assert (address.keepalive_s, address.window, address.user_property, address.stock) == (60, 5, "u", True)


@pytest.mark.parametrize("address", ["local://", "local://a/b"])
def test_a_broker_in_the_process_needs_a_name(address: str) -> None:
    with pytest.raises(Invalid):
        local_name(address)


def test_a_client_needs_a_name_and_a_subscriber_a_filter() -> None:
    with pytest.raises(Invalid):
        open_publisher("local://x", client_id="")
    with pytest.raises(Invalid):
        open_subscriber("local://x", client_id="", filters=["#"], session_expiry_s=0, receive_maximum=10)
    with pytest.raises(Invalid):
        open_subscriber("local://x", client_id="me", filters=[], session_expiry_s=0, receive_maximum=10)
