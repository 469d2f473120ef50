"""What nuget.exe and dotnet read, and what a login puts there: a source and its credentials in a user's NuGet.Config.

The source is called DOMAIN/REPOSITORY, as the AWS CLI calls it.  The file of dotnet on Linux and macOS is another than
that of nuget.exe on mono.  The password stands there in plain text: it can be encrypted on Windows only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from lxml import etree

from registry.login.changes import Edit, Place
from registry.login.errors import Malformed
from registry.login.session import Grant

_FILE = ("NuGet", "NuGet.Config")
_PATH = re.compile(r"/nuget/d/(.+)-[0-9]{12}/([^/]+)/")
_HOST = re.compile(r"//(.+)-[0-9]{12}\.d\.[^/]+/nuget/([^/]+)/")
_EMPTY = '<?xml version="1.0" encoding="utf-8"?>\n<configuration>\n</configuration>\n'
_NAME_START = re.compile(r"[A-Za-z_]")
_NAME_REST = re.compile(r"[A-Za-z0-9_.-]")
_ESCAPED = re.compile(r"_x[0-9A-Fa-f]{4}_")


def nuget(place: Place, grant: Grant, scope: str) -> list[Edit]:
    """nuget.exe: below the user's configuration directory, on mono too."""
    return [_edit(place.config(*_FILE), grant)]


def dotnet(place: Place, grant: Grant, scope: str) -> list[Edit]:
    """The .NET SDK: in ~/.nuget but on Windows; DOTNET_CLI_HOME stands in for the home directory."""
    home = place.named("DOTNET_CLI_HOME") or place.home
    path = place.config(*_FILE) if place.platform == "win32" else home.joinpath(".nuget", *_FILE)
    return [_edit(path, grant)]


def source(grant: Grant) -> str:
    """DOMAIN/REPOSITORY, out of the endpoint's address."""
    found = _PATH.search(grant.endpoint) or _HOST.search(grant.endpoint)
    return f"{found[1]}/{found[2]}" if found else "packyard"


def _edit(path: Path, grant: Grant) -> Edit:
    return Edit(path, lambda text: put(text, source(grant), grant))


def put(text: str, name: str, grant: Grant) -> str:
    """The settings with this source; everything else stays, comments included.  Raises Malformed."""
    root = _parsed(text if text.strip() else _EMPTY)
    values = {"key": name, "value": f"{grant.endpoint}v3/index.json", "protocolVersion": "3"}
    if not grant.secure:
        values["allowInsecureConnections"] = "true"  # without it the clients of 2024 and later refuse plain http
    _add(_section(root, "packageSources"), values)
    credentials = _section(_section(root, "packageSourceCredentials"), _encoded(name))
    for child in list(credentials):
        credentials.remove(child)
    credentials.text = None
    _add(credentials, {"key": "Username", "value": "aws"})
    _add(credentials, {"key": "ClearTextPassword", "value": grant.token})
    written: str = etree.tostring(root.getroottree(), encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{written.strip()}\n'


def _parsed(text: str) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(text.encode(), parser)
    except etree.XMLSyntaxError as err:
        raise Malformed(f"line {err.lineno} is not well-formed XML") from None
    if root.tag != "configuration":
        raise Malformed("it has no configuration element")
    return root


def _section(parent: etree._Element, name: str) -> etree._Element:
    """The child of that name, made where there is none; NuGet reads names of elements without case."""
    for child in parent:
        if isinstance(child.tag, str) and child.tag.lower() == name.lower():
            return child
    return _append(parent, etree.Element(name))


def _add(section: etree._Element, values: Mapping[str, str]) -> None:
    """Set the `add` of that key, in its place."""
    for child in section:
        if child.tag == "add" and (child.get("key") or "").lower() == values["key"].lower():
            for name, value in values.items():
                child.set(name, value)
            return
    _append(section, etree.Element("add", dict(values)))


def _append(parent: etree._Element, child: etree._Element) -> etree._Element:
    """At the end, on a line of its own."""
    depth = sum(1 for _ in parent.iterancestors())
    margin, inner = "\n" + "  " * depth, "\n" + "  " * (depth + 1)
    if len(parent):
        parent[-1].tail = inner
    else:
        parent.text = inner
    child.tail = margin
    parent.append(child)
    return child


def _encoded(name: str) -> str:
    """As an element's name (.NET's XmlConvert.EncodeLocalName): `dom/repo` -> `dom_x002F_repo`."""
    out = []
    for at, char in enumerate(name):
        plain = (_NAME_START if at == 0 else _NAME_REST).fullmatch(char)
        out.append(char if plain and not _ESCAPED.match(name, at) else f"_x{ord(char):04X}_")
    return "".join(out)
