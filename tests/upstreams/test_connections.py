"""External connections: addresses, credentials, formats."""

from __future__ import annotations

import base64
from urllib.parse import urlsplit

import pytest
from packageurl.contrib import purl2url

from registry.config import ConfigError, ConnectionConfig
from upstreams.connections import BUILT_IN, Connection, catalog, root

FORMATS = ("npm", "pypi", "generic")


def one(entry: ConnectionConfig, environ: dict[str, str] | None = None, name: str = "private:partner") -> Connection:
    return catalog({name: entry}, FORMATS, environ or {})[name]


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def test_the_built_in_names_are_those_of_the_formats_that_are_there() -> None:
    assert set(catalog({}, FORMATS, {})) == {"public:npmjs", "public:pypi"}
    assert set(catalog({}, ["npm", "pypi", "maven", "nuget", "cargo", "ruby"], {})) == set(BUILT_IN)


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_a_built_in_address_is_the_root_of_a_registry_over_https(name: str) -> None:
    format, address = BUILT_IN[name]
    parts = urlsplit(address())

    assert parts.scheme == "https"
    assert parts.path.endswith("/")
    assert root(address(), format) == address()


def test_built_in_addresses_agree_with_where_the_library_finds_packages() -> None:
    download = purl2url.get_download_url("pkg:npm/%40scope/name@1.0")  # type: ignore[no-untyped-call]
    assert download.startswith(BUILT_IN["public:npmjs"][1]())
    page = purl2url.get_repo_url("pkg:pypi/name")  # type: ignore[no-untyped-call]
    assert page == BUILT_IN["public:pypi"][1]() + "project/name/"


@pytest.mark.parametrize(
    ("address", "format", "expected"),
    [
        ("http://h.test", "npm", "http://h.test/"),
        ("http://h.test:81/npm/d/dom-1/repo", "npm", "http://h.test:81/npm/d/dom-1/repo/"),
        ("http://h.test/simple/", "pypi", "http://h.test/"),
        ("http://h.test/root/pypi/+simple", "pypi", "http://h.test/root/pypi/+simple/"),
        ("http://h.test/a/simple", "pypi", "http://h.test/a/"),
        ("http://h.test/simple/", "npm", "http://h.test/simple/"),
        ("http://h.test/v3/index.json", "nuget", "http://h.test/"),
        ("http://h.test/api/v3/feed/index.json", "nuget", "http://h.test/api/v3/feed/"),
        ("sparse+http://h.test/cargo/", "cargo", "http://h.test/cargo/"),
        ("http://h.test/cargo/config.json", "cargo", "http://h.test/cargo/"),
        ("http://u:p@h.test/x?y#z", "npm", "http://h.test/x/"),
    ],
)
def test_addresses_are_understood_as_users_give_them(address: str, format: str, expected: str) -> None:
    assert root(address, format) == expected


def test_settings_override_a_built_in_address() -> None:
    connection = one(ConnectionConfig("http://h.test:9001/npm/d/main/"), name="public:npmjs")

    assert (connection.base, connection.format) == ("http://h.test:9001/npm/d/main/", "npm")
    assert connection.authorization == ""


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (ConnectionConfig("http://aws:to%2Fken@h.test/", "npm"), basic("aws:to/ken")),
        (ConnectionConfig("http://h.test/", "npm", username="u", password_env="P"), basic("u:pass")),
        (ConnectionConfig("http://a:b@h.test/", "npm", username="u", password_env="P"), basic("u:pass")),
        (ConnectionConfig("http://h.test/", "npm", password_env="P"), basic(":pass")),
        (ConnectionConfig("http://h.test/", "npm", token_env="T"), "Bearer token"),
        (ConnectionConfig("http://h.test/", "npm"), ""),
    ],
)
def test_credentials_come_from_the_address_or_the_environment(entry: ConnectionConfig, expected: str) -> None:
    connection = one(entry, {"P": "pass", "T": "token\n"})

    assert connection.authorization == expected
    assert "@" not in connection.base
    assert connection.authorization not in repr(connection) or not expected


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (ConnectionConfig("http://h.test/"), "needs a format"),
        (ConnectionConfig("http://h.test/", "rpm"), "'rpm' is not a format"),
        (ConnectionConfig("http://h.test/", "npm", token_env="ABSENT"), "ABSENT is not set"),
    ],
)
def test_a_connection_that_cannot_work_is_an_error(entry: ConnectionConfig, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        one(entry)
