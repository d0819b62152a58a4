"""A channel of the settings leaves by a scheme of the list alone, to a host that no receiver can choose, and no error tells its secret."""

from __future__ import annotations

import pytest

from alerts.channels.gateway import SCHEMES, TO, GatewayChannel
from hearthwatch.errors import Invalid

# Apprise looks for a module that newer Pythons do not have any more.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

HERE = (
    "syslog",
    "dbus",
    "gnome",
    "macosx",
    "windows",
    "glib",
    "kde",
    "qt",
    "exec",
    "file",
    "ssh",
    "mqtt",
    "http",
    "https",
    "xml",
    "",
)
"""Schemes that run programs, write to this machine or its screen, or are another part's."""


@pytest.mark.parametrize("scheme", HERE)
def test_what_is_not_on_the_list_is_refused_and_its_secret_is_not_told(scheme: str) -> None:
    with pytest.raises(Invalid, match="no channel leaves by") as refused:
        GatewayChannel("care", f"{scheme}://user:opensesame@host/{TO}")
    assert refused.value.where == "channels.care"
    assert "opensesame" not in str(refused.value)
    assert scheme not in SCHEMES


@pytest.mark.parametrize("url", ["json://{to}/hook", "json://user:opensesame@{to}", "json://user:opensesame@x.{to}/y"])
def test_a_receiver_never_chooses_the_host(url: str) -> None:
    with pytest.raises(Invalid, match="where the host does") as refused:
        GatewayChannel("care", url)
    assert "opensesame" not in str(refused.value)


@pytest.mark.parametrize("name", ["", "Care", "my care", "mailbox", "mail", "mqtt", "webhook", "a:b", "../x"])
def test_a_name_that_is_none_or_another_s_is_refused(name: str) -> None:
    with pytest.raises(Invalid, match="a channel is named by"):
        GatewayChannel(name, "json://127.0.0.1/{to}")


@pytest.mark.parametrize("url", ["json://[opensesame", "twilio://opensesame/{to}"])
def test_a_url_that_can_not_be_read_is_refused_and_not_told(url: str) -> None:
    with pytest.raises(Invalid, match="URL") as refused:
        GatewayChannel("care", url)
    assert "opensesame" not in str(refused.value)


def test_what_is_on_the_list_is_taken() -> None:
    assert GatewayChannel("care", "jsons://user:opensesame@gateway.example/sms/{to}").name == "care"
