"""What is taken apart in one go is what the scanner would have found."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.npm import jsontext, ordinary, tarball
from protocols.npm.parse import Document
from protocols.npm.scan import Scanner
from tests.samples import npm

WORDS = st.sampled_from(["data", "_attachments", "x.tgz", "x.sigstore", "é", "\u2028", '"', "\\", "{", "}", "a/b", ""])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)
ATTACHMENTS = st.dictionaries(
    st.sampled_from(["x.tgz", "x.sigstore", "é.tgz"]),
    st.fixed_dictionaries(
        {}, optional={"data": st.sampled_from(["aGk=", "", "a/b=", "a b"]) | VALUES, "length": st.integers(0, 9)}
    ),
    max_size=2,
)


def scanned(body: bytes) -> tuple[list[str], bytes, Document]:
    scanner = Scanner(1 << 26)
    found = b"".join(scanner.feed(body))
    return scanner.tarballs, found, jsontext.decode(scanner.done(), Document)


def fields(document: Document) -> tuple[Any, ...]:
    return (
        *(bytes(each) for each in (document.id, document.name, document.readme, document.users, document.maintainers)),
        {key: bytes(value) for key, value in document.tags.items()},
        {key: bytes(value) for key, value in (document.versions or {}).items()},
        {key: bytes(each.length) for key, each in document.attachments.items()},
    )


@given(
    document=st.dictionaries(st.sampled_from(["name", "readme", "versions", "dist-tags", "z"]), VALUES, max_size=4),
    attachments=ATTACHMENTS,
    escaped=st.booleans(),
    indent=st.none() | st.just(2),
)
def test_it_finds_what_the_scanner_finds_or_nothing(
    document: dict[str, Any], attachments: dict[str, Any], escaped: bool, indent: int | None
) -> None:
    whole = {**document, "_attachments": attachments}
    body = json.dumps(whole, ensure_ascii=escaped, indent=indent).encode()

    plain = ordinary.split(body)

    if plain is not None:
        keys, text, rest = scanned(body)
        assert ([plain.key], plain.text, fields(plain.document)) == (keys, text, fields(rest))


def test_an_ordinary_publish_is_plain_and_light() -> None:
    published = npm.Publish("left", manifest={"description": "Hé", "keywords": ["a", "b"]})
    body = json.dumps(published.document(), ensure_ascii=False).encode()

    plain = ordinary.split(body)

    assert plain is not None
    assert plain.light
    keys, text, document = scanned(body)
    assert ([plain.key], plain.text, fields(plain.document)) == (keys, text, fields(document))


TWICE = b'"_attachments":{"x.tgz":{"data":"aGk="}}'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[1]",
        b'{"name":"x"}',
        b"{%s,%s}" % (TWICE, TWICE),
        b'{%s,"_attach\\u006dents":{"y.tgz":{"data":"aGk="}}}' % TWICE,
        b'{"_attachments":{"x.tgz":{"data":"aGk=","data":"aGk="}}}',
        b'{"_attachments":{"x.tgz":{"data":"aGk="},"x.tgz":{"length":1}}}',
        b'{"_attachments":{"x.tgz":{"data":"aGk="},"y.tgz":{"data":"aGk="}}}',
        b'{"_attachments":{"x.sigstore":{"data":"{}"}}}',
        b'{"_attachments":{"x.tgz":{"data":""}}}',
        b'{"_attachments":{"x.tgz":{"data":7}}}',
        b'{"_attachments":{"x.tgz":{"meta":{"data":"aGk="}}}}',
        b'{"_attachments":{"x.tgz":{"data":"aG\\/="}}}',
        b'{"_attachments":{"x.tgz":{"data":"aGk="}},"z":%s1%s}' % (b"[" * 600, b"]" * 600),
        b'{"_attachments":{"x.tgz":{"data":"aGk="}}}}',
        b'{"_attachments":{"x.tgz":{"data":"\xff"}}}',
    ],
)
def test_what_is_not_plain_is_left_to_the_scanner(body: bytes) -> None:
    assert ordinary.split(body) is None


@pytest.mark.parametrize(
    "files", [{"big.txt": "x" * 300_000}, {f"file-{number}": "" for number in range(100)}], ids=["long", "many"]
)
def test_a_tarball_that_unpacks_to_much_is_heavy(files: dict[str, str]) -> None:
    body = npm.tarball(files=files)

    with pytest.raises(tarball.Heavy):
        tarball.inspect(io.BytesIO(body), heavy=256 * 1024)

    assert tarball.inspect(io.BytesIO(body)).files >= len(files)
