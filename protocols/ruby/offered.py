"""What an external registry says of a gem: lines of its compact index, or its dependencies API -> Remote; pure.

One unusable line among many is left out; what is no index at all raises ValueError, as "not understood" must never
look like "has no versions".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, urljoin

from protocols.ruby import gemspec, names, unmarshal
from protocols.ruby.native import FileFacts, encode, filename
from registry.core.types import Remote, RemoteFile, RemoteVersion
from registry.web import remote as answers

MOST = 100_000
"""Gems of one name."""
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True, slots=True)
class Offer:
    """One gem."""

    version: str
    facts: FileFacts
    sha256: str = ""
    created: int | None = None


def from_info(body: bytes) -> list[Offer]:
    """`info/NAME`.  Raises ValueError when it is none."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise ValueError("the compact index is not text in UTF-8") from None
    head, mark, rest = text.partition("---\n")
    if not mark or (head and not head.endswith("\n")):
        raise ValueError("the answer is no page of a compact index")
    lines = rest.split("\n")
    if len(lines) > MOST:
        raise ValueError(f"the compact index has more than {MOST} lines for one gem")
    found: dict[tuple[str, str], Offer] = {}
    for line in lines:
        offer = _offer(line)
        if offer is not None:  # of two lines for one gem the later one holds
            found[offer.version, offer.facts.platform] = offer
    return list(found.values())


def _offer(line: str) -> Offer | None:
    """`VERSION[-PLATFORM] [DEPENDENCY,...]|KEY:VALUE,...`; a value may hold colons."""
    tag, _, rest = line.partition(" ")
    told, _, more = rest.partition("|")
    version, dash, platform = tag.partition("-")
    try:
        said = dict(_item(each) for each in more.split(",") if each)
        sha256 = said.get("checksum", "").lower()
        facts = FileFacts(
            platform=names.canonical_platform(platform) if dash else "ruby",
            needs=",".join(_need(each) for each in told.split(",") if each),
            ruby=_condition(said.get("ruby", "")),
            rubygems=_condition(said.get("rubygems", "")),
        )
        return Offer(
            names.canonical_version(version),
            facts,
            sha256 if _SHA256.match(sha256) else "",
            answers.milliseconds(said.get("created_at")),
        )
    except ValueError:
        return None


def _item(text: str) -> tuple[str, str]:
    key, _, value = text.partition(":")
    return key, value


def _need(text: str) -> str:
    name, _, wanted = text.partition(":")
    return f"{names.canonical(None, name)[1]}:{'&'.join(gemspec.requirement(wanted.split('&') if wanted else []))}"


def _condition(text: str) -> str:
    found = "&".join(gemspec.requirement(text.split("&"))) if text else gemspec.ANY
    return "" if found == gemspec.ANY else found


def from_dependencies(body: bytes, name: str) -> list[Offer]:
    """`api/v1/dependencies?gems=NAME`, which says neither checksums nor times.  Raises ValueError when it is none."""
    told = unmarshal.load(body)
    if not isinstance(told, list) or len(told) > MOST:
        raise ValueError("the dependencies API answered with something else than a list")
    return [offer for each in told if (offer := _dependency_offer(each, name)) is not None]


def _dependency_offer(value: unmarshal.Value, name: str) -> Offer | None:
    if not isinstance(value, dict) or value.get("name") != name:
        return None
    version, platform, needs = value.get("number"), value.get("platform"), value.get("dependencies")
    if not isinstance(version, str) or not isinstance(platform, str | None) or not isinstance(needs, list):
        return None
    try:
        wanted = []
        for each in needs:
            if not isinstance(each, list) or len(each) != 2 or not all(isinstance(part, str) for part in each):
                return None
            wanted.append(_need(f"{each[0]}:{str(each[1]).replace(',', '&')}"))
        facts = FileFacts(platform=names.canonical_platform(platform or "ruby"), needs=",".join(wanted))
        return Offer(names.canonical_version(version), facts)
    except ValueError:
        return None


def remote(name: str, offers: Iterable[Offer], base: str, validators: dict[str, str]) -> Remote:
    """Gems gathered by version.  Their files lie below `base`."""
    versions: dict[str, list[Offer]] = {}
    for offer in offers:
        versions.setdefault(offer.version, []).append(offer)
    found = tuple(_version(name, version, several, base) for version, several in versions.items())
    return Remote(display=name, versions=found, tags={}, validators=validators)


def _version(name: str, version: str, offers: list[Offer], base: str) -> RemoteVersion:
    files = []
    for offer in offers:
        file = filename(name, version, offer.facts.platform)
        digests = {"sha256": offer.sha256} if offer.sha256 else {}
        files.append(
            RemoteFile(file, urljoin(base, f"gems/{quote(file)}"), None, digests, encode(offer.facts), offer.created)
        )
    times = [offer.created for offer in offers if offer.created is not None]
    return RemoteVersion(version, version, b"", min(times, default=None), tuple(files))
