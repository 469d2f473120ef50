"""Settings: what is unknown or wrong is named."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from registry.config import SECTIONS, Config, ConfigError, load, override, parse


def test_nothing_set_gives_the_defaults() -> None:
    assert parse({}, {}) == Config()


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "packyard.toml").write_text('[server]\nport = 1\nhost = "::1"\n[quotas]\nasset_bytes = 7\n')

    config = load(tmp_path / "packyard.toml", {"PACKYARD_SERVER_PORT": "2", "PACKYARD_METRICS_PUBLIC": "true"})

    assert (config.server.port, config.server.host) == (2, "::1")
    assert config.quotas.asset_bytes == 7
    assert config.metrics.public is True


def test_the_command_line_wins_over_both() -> None:
    config = override(parse({"server": {"port": 1}}, {}), host=None, port=3, data="/d", workers=None)

    assert (config.server.port, str(config.data)) == (3, "/d")


@pytest.mark.parametrize(
    ("document", "environ", "message"),
    [
        ({"server": {"prot": 1}}, {}, "server.prot; the nearest known one is server.port"),
        ({"sever": {}}, {}, r"\[sever\]; the nearest known one is \[server\]"),
        ({}, {"PACKYARD_SERVER_PROT": "1"}, "PACKYARD_SERVER_PROT; the nearest known one is PACKYARD_SERVER_PORT"),
        ({"server": {"port": "x"}}, {}, "server.port must be a whole number"),
        ({"server": {"port": True}}, {}, "server.port must be a whole number"),
        ({"server": {"port": 70000}}, {}, "at most 65535"),
        ({}, {"PACKYARD_SERVER_PORT": "eighty"}, "PACKYARD_SERVER_PORT must be a whole number"),
        ({"server": {"host": 1}}, {}, "server.host must be a string"),
        ({"server": {"workers": 0}}, {}, "at least 1"),
        ({"server": {"tls_key": "k"}}, {}, "must be set together"),
        ({"server": {"base_url": "packages.example"}}, {}, "http or https"),
        ({"server": {"trusted_proxies": "10.0.0.1"}}, {}, "a list of strings"),
        ({"metrics": {"public": "yes"}}, {}, "true or false"),
        ({"aws": {"account": "123"}}, {}, "twelve digits"),
        ({"accounts": [{"id": "1"}]}, {}, "twelve digits"),
        ({"accounts": [{"id": "444455556666", "access_key_id": "A"}]}, {}, "needs both"),
        ({"accounts": [{"name": "x"}]}, {}, "accounts.name; the nearest"),
        ({"connections": {"a": "ftp://x/"}}, {}, "http or https"),
        ({"connections": {"a": {"format": "npm"}}}, {}, "needs the key url"),
        ({"connections": {"a": {"url": "http://x/", "pasword_env": "P"}}}, {}, "password_env"),
        ({"storage": {"database": "postgresql://x"}}, {}, "storage.database must be postgresql://"),
        ({"storage": {"database": "postgresql://u:p@h:1/d", "database_connections": 1}}, {}, "at least 2"),
        ({"server": 1}, {}, "must be a table"),
        ({}, {"PACKYARD_CONNECTIONS": "{"}, "not a TOML value"),
    ],
)
def test_what_is_wrong_is_named(document: dict[str, Any], environ: Mapping[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(document, environ)


def test_a_file_that_is_not_there_or_no_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "none.toml", {})
    (tmp_path / "bad.toml").write_text("[")
    with pytest.raises(ConfigError, match="not valid TOML"):
        load(tmp_path / "bad.toml", {})


def test_connections_are_addresses_or_tables() -> None:
    config = parse(
        {"connections": {"public:npmjs": "http://a/", "private:x": {"format": "pypi", "url": "https://u:p@b/"}}}, {}
    )

    assert config.connections["public:npmjs"].url == "http://a/"
    assert config.connections["private:x"].format == "pypi"
    assert "u:p" not in repr(config)


def test_connections_can_come_from_the_environment() -> None:
    config = parse({}, {"PACKYARD_CONNECTIONS": '{"public:npmjs" = "http://a/"}'})

    assert config.connections["public:npmjs"].url == "http://a/"


def test_secrets_are_not_shown() -> None:
    account = {"id": "444455556666", "access_key_id": "A", "secret_access_key": "hidden"}

    assert "hidden" not in repr(parse({"accounts": [account]}, {}))


def test_variables_of_other_programs_are_left_alone() -> None:
    assert parse({}, {"PACKYARD_ADMIN_ACCESS_KEY_ID": "x", "PACKYARD_MASTER_KEY": "y", "PATH": "z"}) == Config()


def test_every_section_has_an_environment_variable_for_every_key() -> None:
    for name, cls in SECTIONS.items():
        for key in cls.__dataclass_fields__:
            variable = f"PACKYARD_{name.upper()}_{key.upper()}"
            with pytest.raises(ConfigError, match=variable):
                parse({}, {variable + "X": "1"})
