"""What `packyard login swift` writes."""

from __future__ import annotations

import json

import pytest

from registry.login.errors import Malformed
from registry.login.swift import netrc, registries

ENDPOINT = "https://packages.example:8443/swift/d/dom-111122223333/repo/"


def test_registries_names_the_repository_and_how_to_show_oneself() -> None:
    assert json.loads(registries("", ENDPOINT, "[default]")) == {
        "authentication": {
            "packages.example:8443": {"loginAPIPath": "/swift/d/dom-111122223333/repo/login", "type": "token"}
        },
        "registries": {"[default]": {"supportsAvailability": False, "url": ENDPOINT}},
        "version": 1,
    }


def test_what_stands_beside_stays() -> None:
    before = {
        "authentication": {"other.example": {"type": "basic"}},
        "registries": {"[default]": {"url": "https://other.example/"}, "acme": {"url": "https://old.example/"}},
        "version": 1,
        "security": {"default": {}},
    }

    after = json.loads(registries(json.dumps(before), ENDPOINT, "acme"))

    assert after["registries"]["[default]"] == {"url": "https://other.example/"}
    assert after["registries"]["acme"]["url"] == ENDPOINT
    assert after["authentication"]["other.example"] == {"type": "basic"}
    assert after["security"] == {"default": {}}


@pytest.mark.parametrize("text", ["{", "[]", '{"version":2}', '{"registries":[]}', '{"authentication":1}'])
def test_a_file_that_is_something_else_is_left_alone(text: str) -> None:
    with pytest.raises(Malformed):
        registries(text, ENDPOINT, "[default]")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "machine h login token password NEW\n"),
        ("machine h login token password OLD\n", "machine h login token password NEW\n"),
        ("machine h\n  login token\n  password OLD\nmachine x login a password b\n",
         "machine h login token password NEW\nmachine x login a password b\n"),
        ("machine x login a password machine\n",
         "machine h login token password NEW\nmachine x login a password machine\n"),
        ("default login a password b\n", "machine h login token password NEW\ndefault login a password b\n"),
    ],
)  # fmt: skip
def test_netrc_has_one_entry_for_the_host(before: str, after: str) -> None:
    assert netrc(before, "h", "NEW") == after
    assert netrc(after, "h", "NEW") == after


def test_credentials_of_another_kind_are_not_replaced() -> None:
    with pytest.raises(Malformed, match="other credentials"):
        netrc("machine h login aws password secret\n", "h", "NEW")
