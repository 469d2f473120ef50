"""What pip, uv, poetry and twine read, and what a login puts there."""

from __future__ import annotations

import ipaddress

from registry.login import ini, toml
from registry.login.changes import Edit, Place
from registry.login.session import Grant

NAME = "packyard"
"""What the repository is called in settings that want a name."""

_MAC = "Library/Application Support"


def pip(place: Place, grant: Grant, scope: str) -> list[Edit]:
    """The user's pip.conf.  Of the legacy place and the newer one the newer wins, and PIP_CONFIG_FILE over both.

    pip takes user information from the address only; without TLS it wants a host that is not this machine named.
    """
    mac = _MAC if (place.home / _MAC / "pip").is_dir() else ".config"
    name = "pip.ini" if place.platform == "win32" else "pip.conf"
    path = place.named("PIP_CONFIG_FILE") or place.config("pip", name, mac=mac)

    def edit(text: str) -> str:
        values = {"index-url": grant.with_token("simple/")}
        if not grant.secure and not _local(grant.host):
            trusted = (ini.value(text, "global", "trusted-host") or "").split()
            if grant.netloc not in trusted:
                values["trusted-host"] = "".join(f"\n    {each}" for each in [*trusted, grant.netloc])
        return ini.put(text, "global", values, same=lambda key: key.lower().replace("_", "-"))

    return [Edit(path, edit)]


def uv(place: Place, grant: Grant, scope: str) -> list[Edit]:
    """The user's uv.toml names the index, without a secret; the token goes where `uv auth login` puts one.

    uv finds it there by the address, so that projects with indexes of their own and `uv publish` have it too (seen
    with 0.13).  Of several default indexes the first wins, hence ours stands before the others.
    """
    windows = place.platform == "win32"
    store = place.named("UV_CREDENTIALS_DIR") or place.data(*(("uv", "data") if windows else ("uv",)), "credentials")
    index: dict[str, str | bool] = {
        "name": NAME,
        "url": f"{grant.endpoint}simple/",
        "publish-url": grant.endpoint,
        "default": True,
    }
    secret: dict[str, str | bool] = {
        "service": grant.endpoint,
        "username": "aws",
        "scheme": "basic",
        "password": grant.token,
    }
    return [
        Edit(store / "credentials.toml", lambda text: toml.put_element(text, "credential", "service", secret)),
        Edit(
            place.named("UV_CONFIG_FILE") or place.config("uv", "uv.toml"),
            lambda text: toml.put_element(text, "index", "name", index, first=True),
        ),
    ]


def poetry(place: Place, grant: Grant, scope: str) -> list[Edit]:
    """config.toml and auth.toml; a password there comes before one in a keyring (poetry 2.5)."""
    folder = place.named("POETRY_CONFIG_DIR") or place.config("pypoetry", mac=_MAC)
    secret = {"username": "aws", "password": grant.token}
    return [
        Edit(folder / "auth.toml", lambda text: toml.put(text, ("http-basic", NAME), secret)),
        Edit(folder / "config.toml", lambda text: toml.put(text, ("repositories", NAME), {"url": grant.endpoint})),
    ]


def twine(place: Place, grant: Grant, scope: str) -> list[Edit]:
    """A server of its own in ~/.pypirc.  A list of servers hides those it does not name, also the usual ones."""

    def edit(text: str) -> str:
        listed = ini.value(text, "distutils", "index-servers")
        servers = ["pypi", "testpypi"] if listed is None else listed.split()
        if NAME not in servers:
            names = "".join(f"\n    {each}" for each in [*servers, NAME])
            text = ini.put(text, "distutils", {"index-servers": names})
        return ini.put(text, NAME, {"repository": grant.endpoint, "username": "aws", "password": grant.token})

    return [Edit(place.home / ".pypirc", edit)]


def _local(host: str) -> bool:
    """Whether pip takes it for this machine (its secure origins)."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
