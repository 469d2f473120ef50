"""Settings: packyard.toml and the environment become one frozen Config.

Each key `section.key` is also the environment variable PACKYARD_SECTION_KEY, which wins over the file.
A key that is not known is an error that names it and the nearest known one, so that a misspelt setting
never passes for a set one.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from registry.core.types import Quotas


class ConfigError(Exception):
    """A setting is unknown or wrong; the message names it."""


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """Where and how the server listens.  Times in seconds, sizes in bytes."""

    host: str = "127.0.0.1"
    port: int = 8080
    base_url: str = ""
    domain_suffix: str = ""
    workers: int = 1
    tls_certificate: str = ""
    tls_key: str = ""
    trusted_proxies: tuple[str, ...] = ("127.0.0.1", "::1")
    header_bytes: int = 65_536
    header_timeout: int = 20
    body_timeout: int = 60
    write_timeout: int = 120
    idle_timeout: int = 65
    drain_timeout: int = 30
    index_cache_bytes: int = 128 * 1024**2
    accel_redirect: str = ""
    anonymous_read: bool = False
    """Who shows no token may read what a repository policy opens to `Principal: "*"`."""


@dataclass(frozen=True, slots=True)
class AwsConfig:
    """The region and the first account of this server."""

    region: str = "us-west-2"
    account: str = "111122223333"
    organization: str = ""
    """The id (o-...) of the organization of all accounts here, for the condition key aws:PrincipalOrgID."""


@dataclass(frozen=True, slots=True)
class AccountConfig:
    """A further account, made at start if absent, with an IAM user `admin` who has this access key."""

    id: str
    access_key_id: str = ""
    secret_access_key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class StorageConfig:
    """Where metadata and files live; `database` and `blobs` empty means SQLite and files under `data`.

    `database_connections` are those of one process, `database_timeout` is in seconds; both are PostgreSQL's.
    `blobs` is `s3://bucket` or `s3://bucket/prefix`; what of `s3_...` is empty is found as boto3 finds it.
    """

    data: str = "./data"
    database: str = field(default="", repr=False)
    database_connections: int = 10
    database_timeout: int = 15
    blobs: str = ""
    s3_endpoint_url: str = ""
    s3_region: str = ""
    s3_addressing: str = ""
    s3_sse: str = ""
    s3_sse_kms_key: str = ""
    s3_redirect_seconds: int = 0
    s3_connect_timeout: int = 5
    s3_read_timeout: int = 15
    s3_attempts: int = 3
    s3_connections: int = 64


@dataclass(frozen=True, slots=True)
class UpstreamsConfig:
    """How external registries are asked.  Seconds."""

    listing_age: int = 60
    negative_age: int = 10
    connect_timeout: int = 10
    read_timeout: int = 60


@dataclass(frozen=True, slots=True)
class EventsConfig:
    """Where events go, beside the webhooks.  `file` empty: nowhere; a relative one is below the data directory.

    At `file_bytes` the file is rotated, `files` old ones are kept.  `keep_days`: how long an event waits for a sink.
    """

    file: str = ""
    file_bytes: int = 64 * 1024**2
    files: int = 10
    keep_days: int = 7


@dataclass(frozen=True, slots=True)
class AuditConfig:
    """Where audit records go.  `file` as for events."""

    file: str = ""
    file_bytes: int = 64 * 1024**2
    files: int = 10


@dataclass(frozen=True, slots=True)
class WebhookConfig:
    """An address that gets events.  `secret_env` names the environment variable with the signing secret.

    `account`: only that account's copies; empty for all.
    """

    name: str
    url: str = field(default="", repr=False)
    secret_env: str = ""
    account: str = ""


@dataclass(frozen=True, slots=True)
class MetricsConfig:
    """`public`: /metrics answers without credentials."""

    public: bool = False


@dataclass(frozen=True, slots=True)
class ConnectionConfig:
    """An external connection's address.  `format` None: as the built-in catalog has that name.

    `password_env` and `token_env` name environment variables.  `url` may hold user information.
    """

    url: str = field(repr=False)
    format: str | None = None
    username: str = ""
    password_env: str = ""
    token_env: str = ""


@dataclass(frozen=True, slots=True)
class Config:
    """Every setting of one server."""

    server: ServerConfig = ServerConfig()
    aws: AwsConfig = AwsConfig()
    accounts: tuple[AccountConfig, ...] = ()
    quotas: Quotas = field(default_factory=Quotas)
    storage: StorageConfig = StorageConfig()
    upstreams: UpstreamsConfig = UpstreamsConfig()
    connections: Mapping[str, ConnectionConfig] = field(default_factory=dict)
    metrics: MetricsConfig = MetricsConfig()
    events: EventsConfig = EventsConfig()
    audit: AuditConfig = AuditConfig()
    webhooks: tuple[WebhookConfig, ...] = ()

    @property
    def data(self) -> Path:
        """The data directory."""
        return Path(self.storage.data)


SECTIONS: Mapping[str, type[Any]] = {
    "server": ServerConfig,
    "aws": AwsConfig,
    "quotas": Quotas,
    "storage": StorageConfig,
    "upstreams": UpstreamsConfig,
    "metrics": MetricsConfig,
    "events": EventsConfig,
    "audit": AuditConfig,
}
TABLES = ("accounts", "connections", "webhooks")

BUCKET = re.compile(r"s3://([A-Za-z0-9][A-Za-z0-9._-]{1,254})(?:/([!-~]*[!-.0-~])?)?/?")
"""Bucket and prefix."""
_ADDRESSING = ("path", "virtual", "auto")
_ENCRYPTION = ("AES256", "aws:kms", "aws:kms:dsse")


def load(path: Path | None, environ: Mapping[str, str]) -> Config:
    """Read the file (if any), lay the environment over it, check everything.  Raises ConfigError."""
    return parse(_read(path) if path is not None else {}, environ)


def parse(document: Mapping[str, Any], environ: Mapping[str, str]) -> Config:
    """A Config from a parsed TOML document and the environment.  Raises ConfigError."""
    known = (*SECTIONS, *TABLES)
    for name in document:
        if name not in known:
            raise ConfigError(_unknown(f"[{name}]", [f"[{each}]" for each in known]))
    document = {**document, **_tables_of(environ)}
    sections = {name: _section(name, cls, document.get(name, {}), environ) for name, cls in SECTIONS.items()}
    config = Config(
        **sections,
        accounts=_accounts(document.get("accounts", [])),
        connections=_connections(document.get("connections", {})),
        webhooks=_webhooks(document.get("webhooks", [])),
    )
    _check(config)
    return config


def override(config: Config, *, host: str | None, port: int | None, data: str | None, workers: int | None) -> Config:
    """Lay the command line's options over a Config."""
    server: dict[str, Any] = {k: v for k, v in (("host", host), ("port", port), ("workers", workers)) if v is not None}
    changed = replace(
        config,
        server=replace(config.server, **server),
        storage=replace(config.storage, data=data) if data is not None else config.storage,
    )
    _check(changed)
    return changed


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as err:
        raise ConfigError(f"The settings file {path} cannot be read: {err.strerror}") from err
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        raise ConfigError(f"The settings file {path} is not valid TOML: {err}") from err


def _tables_of(environ: Mapping[str, str]) -> dict[str, Any]:
    """PACKYARD_ACCOUNTS, PACKYARD_CONNECTIONS and PACKYARD_WEBHOOKS hold a TOML value on one line."""
    tables = {}
    for name in TABLES:
        text = environ.get(f"PACKYARD_{name.upper()}")
        if text:
            try:
                tables[name] = tomllib.loads(f"value = {text}")["value"]
            except tomllib.TOMLDecodeError as err:
                raise ConfigError(f"PACKYARD_{name.upper()} is not a TOML value: {err}") from err
    return tables


def _section(name: str, cls: type[Any], table: Any, environ: Mapping[str, str]) -> Any:
    if not isinstance(table, Mapping):
        raise ConfigError(f"[{name}] must be a table")
    known = {each.name: each for each in fields(cls)}
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in known:
            raise ConfigError(_unknown(f"{name}.{key}", [f"{name}.{each}" for each in known]))
        values[key] = _typed(f"{name}.{key}", value, known[key].default)
    prefix = f"PACKYARD_{name.upper()}_"
    for variable, text in environ.items():
        if variable.startswith(prefix):
            key = variable.removeprefix(prefix).lower()
            if key not in known:
                raise ConfigError(_unknown(variable, [prefix + each.upper() for each in known]))
            values[key] = _from_text(variable, text, known[key].default)
    return cls(**values)


def _typed(name: str, value: Any, default: object) -> Any:
    """The value, when it has the default's type."""
    if isinstance(default, bool):
        wanted, fits = "true or false", isinstance(value, bool)
    elif isinstance(default, int):
        wanted, fits = "a whole number, not negative", type(value) is int and value >= 0
    elif isinstance(default, tuple):
        wanted, fits = "a list of strings", isinstance(value, list) and all(isinstance(each, str) for each in value)
        value = tuple(value) if fits else value
    else:
        wanted, fits = "a string", isinstance(value, str)
    if not fits:
        raise ConfigError(f"{name} must be {wanted}, not {value!r}")
    return value


def _from_text(name: str, text: str, default: object) -> Any:
    if isinstance(default, bool):
        word = text.strip().lower()
        if word not in ("true", "false", "1", "0"):
            raise ConfigError(f"{name} must be true or false, not {text!r}")
        return word in ("true", "1")
    if isinstance(default, int):
        return _typed(name, int(text) if text.strip().isdecimal() else text, default)
    if isinstance(default, tuple):
        return tuple(each.strip() for each in text.split(",") if each.strip())
    return text


def _accounts(tables: Any) -> tuple[AccountConfig, ...]:
    if not isinstance(tables, list):
        raise ConfigError("accounts must be a list of tables: [[accounts]]")
    accounts = tuple(_record("accounts", AccountConfig, each, "id") for each in tables)
    for account in accounts:
        _account_id("accounts.id", account.id)
        if bool(account.access_key_id) != bool(account.secret_access_key):
            raise ConfigError(f"accounts: {account.id} needs both access_key_id and secret_access_key, or neither")
    return accounts


def _connections(table: Any) -> dict[str, ConnectionConfig]:
    if not isinstance(table, Mapping):
        raise ConfigError("[connections] must be a table")
    connections = {}
    for name, value in table.items():
        entry = {"url": value} if isinstance(value, str) else value
        connection: ConnectionConfig = _record(f"connections.{name!r}", ConnectionConfig, entry, "url")
        if urlsplit(connection.url).scheme not in ("http", "https") or not urlsplit(connection.url).hostname:
            raise ConfigError(f"connections.{name!r}.url must be an http or https address")
        connections[name] = connection
    return connections


def _webhooks(tables: Any) -> tuple[WebhookConfig, ...]:
    if not isinstance(tables, list):
        raise ConfigError("webhooks must be a list of tables: [[webhooks]]")
    webhooks = tuple(_record("webhooks", WebhookConfig, each, "name") for each in tables)
    names = [each.name for each in webhooks]
    for webhook in webhooks:
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", webhook.name) or names.count(webhook.name) > 1:
            raise ConfigError(f"webhooks.name must be letters, digits, . _ - and its own, not {webhook.name!r}")
        if urlsplit(webhook.url).scheme not in ("http", "https") or not urlsplit(webhook.url).hostname:
            raise ConfigError(f"webhooks: {webhook.name} needs a url, an http or https address")
        if not webhook.secret_env:
            raise ConfigError(f"webhooks: {webhook.name} needs secret_env, the variable that holds its secret")
        if webhook.account:
            _account_id("webhooks.account", webhook.account)
    return webhooks


def _record(name: str, cls: type[Any], entry: Any, required: str) -> Any:
    if not isinstance(entry, Mapping):
        raise ConfigError(f"{name} must be a table")
    known = [each.name for each in fields(cls)]
    for key, value in entry.items():
        if key not in known:
            raise ConfigError(_unknown(f"{name}.{key}", [f"{name}.{each}" for each in known]))
        if not isinstance(value, str):
            raise ConfigError(f"{name}.{key} must be a string, not {value!r}")
    if required not in entry:
        raise ConfigError(f"{name} needs the key {required}")
    return cls(**entry)


def _check(config: Config) -> None:
    server = config.server
    _account_id("aws.account", config.aws.account)
    if config.aws.organization and not re.fullmatch(r"o-[a-z0-9]{10,32}", config.aws.organization):
        raise ConfigError(
            f"aws.organization must be o- and 10 to 32 letters and digits, not {config.aws.organization!r}"
        )
    if not 0 <= server.port <= 65_535:
        raise ConfigError(f"server.port must be at most 65535, not {server.port}")
    if server.workers < 1:
        raise ConfigError("server.workers must be at least 1")
    if bool(server.tls_certificate) != bool(server.tls_key):
        raise ConfigError("server.tls_certificate and server.tls_key must be set together")
    if server.base_url and urlsplit(server.base_url).scheme not in ("http", "https"):
        raise ConfigError(f"server.base_url must be an http or https address, not {server.base_url!r}")
    if server.accel_redirect and not re.fullmatch(r"/[!-~]*/", server.accel_redirect):
        raise ConfigError(f"server.accel_redirect must begin and end with a slash, not {server.accel_redirect!r}")
    if server.accel_redirect and config.storage.blobs:
        raise ConfigError("server.accel_redirect is for files on disk; a bucket has storage.s3_redirect_seconds")
    _database(config.storage)
    _bucket(config.storage)


def _database(storage: StorageConfig) -> None:
    """The address may hold a password, so that no message shows any of it."""
    if storage.database:
        try:
            parts = urlsplit(storage.database)
            sound = parts.scheme in ("postgresql", "postgres") and bool(parts.path.strip("/"))
        except ValueError:
            sound = False
        if not sound:
            raise ConfigError("storage.database must be postgresql://user:password@host:port/database, or empty")
    if storage.database_connections < 2:
        raise ConfigError("storage.database_connections must be at least 2")
    if storage.database_timeout < 1:
        raise ConfigError("storage.database_timeout must be at least 1")


def _bucket(storage: StorageConfig) -> None:
    if storage.blobs and not BUCKET.fullmatch(storage.blobs):
        raise ConfigError(f"storage.blobs must be s3://bucket or s3://bucket/prefix, or empty, not {storage.blobs!r}")
    if storage.s3_endpoint_url and urlsplit(storage.s3_endpoint_url).scheme not in ("http", "https"):
        raise ConfigError(f"storage.s3_endpoint_url must be an http or https address, not {storage.s3_endpoint_url!r}")
    for name, known in (("s3_addressing", _ADDRESSING), ("s3_sse", _ENCRYPTION)):
        value = getattr(storage, name)
        if value and value not in known:
            raise ConfigError(f"storage.{name} must be one of {', '.join(known)}, or empty, not {value!r}")
    if storage.s3_sse_kms_key and not storage.s3_sse.startswith("aws:kms"):
        raise ConfigError("storage.s3_sse_kms_key needs storage.s3_sse to be aws:kms or aws:kms:dsse")
    for name in ("s3_connect_timeout", "s3_read_timeout", "s3_attempts", "s3_connections"):
        if getattr(storage, name) < 1:
            raise ConfigError(f"storage.{name} must be at least 1")
    if storage.s3_redirect_seconds > 7 * 24 * 3600:
        raise ConfigError("storage.s3_redirect_seconds must be at most 604800, as signatures last no longer")


def _account_id(name: str, value: str) -> None:
    if len(value) != 12 or not (value.isascii() and value.isdecimal()):
        raise ConfigError(f"{name} must be twelve digits, not {value!r}")


def _unknown(name: str, known: list[str]) -> str:
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
    return f"Unknown setting {name}; the nearest known one is {nearest[0]}"
