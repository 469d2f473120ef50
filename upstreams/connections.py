"""External connections: a name -> the registry's root address, its format and our credentials there.

The built-in names are the guide's (chapter "Supported external connection repositories").  Their addresses
come from the library that keeps them for the whole industry, packageurl-python, so that none stands here.
`[connections]` in the settings overrides them and adds names of one's own.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit, urlunsplit

from packageurl.contrib import purl2url

from registry.config import ConfigError, ConnectionConfig


@dataclass(frozen=True, slots=True)
class Connection:
    """An external registry.  `base` ends in "/" and holds no credentials; `authorization` is a header's value."""

    name: str
    format: str
    base: str
    authorization: str = field(default="", repr=False)


def _npm() -> str:
    """The download address of a package starts with the registry's root."""
    address: str = purl2url.get_download_url("pkg:npm/name@1")  # type: ignore[no-untyped-call]
    return address.removesuffix("name/-/name-1.tgz")


def _of_page(purl: str) -> str:
    """The root of the host that shows a package's page."""
    parts = urlsplit(purl2url.get_repo_url(purl))  # type: ignore[no-untyped-call]
    return f"{parts.scheme}://{parts.netloc}/"


def _maven() -> str:
    return f"{purl2url.DEFAULT_MAVEN_REPOSITORY.rstrip('/')}/"


def _nuget() -> str:
    """The service index lives on the `api` host of the gallery's domain."""
    parts = urlsplit(_of_page("pkg:nuget/name"))
    return f"{parts.scheme}://api.{parts.netloc.removeprefix('www.')}/"


def _cargo() -> str:
    """The sparse index lives on the `index` host of the registry's domain."""
    parts = urlsplit(_of_page("pkg:cargo/name"))
    return f"{parts.scheme}://index.{parts.netloc}/"


BUILT_IN: Mapping[str, tuple[str, Callable[[], str]]] = {
    "public:npmjs": ("npm", _npm),
    "public:pypi": ("pypi", lambda: _of_page("pkg:pypi/name")),
    "public:maven-central": ("maven", _maven),
    # The library does not know these (see the contract, "Settings").
    "public:maven-googleandroid": ("maven", lambda: "https://dl.google.com/android/maven2/"),
    "public:maven-gradleplugins": ("maven", lambda: "https://plugins.gradle.org/m2/"),
    "public:maven-clojars": ("maven", lambda: "https://repo.clojars.org/"),
    "public:maven-commonsware": ("maven", lambda: "https://repo.commonsware.com.s3.amazonaws.com/"),
    "public:nuget-org": ("nuget", _nuget),
    "public:crates-io": ("cargo", _cargo),
    "public:ruby-gems-org": ("ruby", lambda: _of_page("pkg:gem/name")),
}

_ENTRANCES: Mapping[str, tuple[str, ...]] = {
    "pypi": ("simple/",),
    "nuget": ("v3/index.json", "index.json"),
    "cargo": ("config.json",),
}
"""What stands below a registry's root and is often given for it, by format."""


def catalog(
    configured: Mapping[str, ConnectionConfig], formats: Collection[str], environ: Mapping[str, str]
) -> dict[str, Connection]:
    """Every connection that can be used with these formats.  Raises ConfigError for one that cannot work."""
    known = {
        name: Connection(name, format, address())
        for name, (format, address) in BUILT_IN.items()
        if format in formats and name not in configured
    }
    for name, entry in configured.items():
        known[name] = _configured(name, entry, formats, environ)
    return known


def root(address: str, format: str) -> str:
    """The registry's root for an address that users give: with or without a slash, the index below it, `sparse+`."""
    parts = urlsplit(address.removeprefix("sparse+"))
    path = f"{parts.path.rstrip('/')}/"
    for entrance in _ENTRANCES.get(format, ()):
        entrance = f"/{entrance.rstrip('/')}/"
        if path.endswith(entrance):
            path = path.removesuffix(entrance) + "/"
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, path, "", ""))


def _configured(name: str, entry: ConnectionConfig, formats: Collection[str], environ: Mapping[str, str]) -> Connection:
    format = entry.format or BUILT_IN.get(name, ("",))[0]
    if not format:
        raise ConfigError(f"connections.{name!r} needs a format, since it is no built-in name")
    if format not in formats:
        raise ConfigError(f"connections.{name!r}.format: {format!r} is not a format of this server")
    return Connection(name, format, root(entry.url, format), _authorization(name, entry, environ))


def _authorization(name: str, entry: ConnectionConfig, environ: Mapping[str, str]) -> str:
    """The token beats the password, what is said apart beats the address."""
    if entry.token_env:
        return f"Bearer {_secret(name, entry.token_env, environ)}"
    parts = urlsplit(entry.url)
    user = entry.username or unquote(parts.username or "")
    password = unquote(parts.password or "")
    if entry.password_env:
        password = _secret(name, entry.password_env, environ)
    if not user and not password:
        return ""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")


def _secret(name: str, variable: str, environ: Mapping[str, str]) -> str:
    value = environ.get(variable, "").strip()
    if not value:
        raise ConfigError(f"connections.{name!r}: the environment variable {variable} is not set")
    return value
