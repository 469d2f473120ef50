"""Multipart forms: any order, any cut, limits, constant memory."""

from __future__ import annotations

import asyncio
import itertools
import tracemalloc
from collections.abc import AsyncIterator, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.core.errors import AccessDenied, TooLarge, Validation
from registry.web.multipart import (
    Data,
    End,
    Form,
    Head,
    Limits,
    Parser,
    _any_head,
    _head,
    boundary_of,
    media_type,
    receive,
)
from storage.blobs.memory import MemoryBlobs
from tests.samples.pypi import multipart

Parts = list[tuple[str, str | None, bytes]]


def parsed(body: bytes, boundary: bytes, cuts: list[int]) -> Parts:
    """(name, filename, body) of each part, fed in pieces."""
    parser = Parser(boundary)
    parts: Parts = []
    edges = [0, *sorted({cut % (len(body) + 1) for cut in cuts}), len(body)]
    for start, end in itertools.pairwise(edges):
        for event in parser.feed(body[start:end]):
            if isinstance(event, Head):
                parts.append((event.name, event.filename, b""))
            elif isinstance(event, Data):
                name, filename, so_far = parts[-1]
                parts[-1] = (name, filename, so_far + event.chunk)
            else:
                assert isinstance(event, End)
    parser.close()
    return parts


BOUNDARY = "b0"
bodies = st.lists(
    st.sampled_from([b"\r\n", b"--", b"b0", b"\r", b"\n", b"\r\n--b", b"\r\n-", b"x", b"\x00", b"ab" * 40]), max_size=12
).map(b"".join)


@given(
    fields=st.lists(st.tuples(st.sampled_from(["a", "b", "content"]), bodies), max_size=4),
    content=bodies,
    cuts=st.lists(st.integers(0, 10_000), max_size=12),
)
def test_any_cut_gives_the_same_parts(fields: list[tuple[str, bytes]], content: bytes, cuts: list[int]) -> None:
    fields = [(name, value) for name, value in fields if b"\r\n--b0" not in b"\r\n" + value]
    content = content.replace(b"\r\n--b0", b"") if b"\r\n--b0" in b"\r\n" + content else content
    if b"\r\n--b0" in b"\r\n" + content:
        content = b""
    _, body = multipart(fields, [("content", "f.bin", content)], BOUNDARY)

    found = parsed(body, BOUNDARY.encode(), cuts)

    assert found == [(name, None, value) for name, value in fields] + [("content", "f.bin", content)]


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=4))
@settings(max_examples=300)
def test_garbage_is_refused_or_understood_but_never_crashes(noise: bytes, cuts: list[int]) -> None:
    for body in (noise, b"--b0\r\n" + noise, b'--b0\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + noise):
        try:
            parsed(body, b"b0", cuts)
        except Validation:
            continue


@pytest.mark.parametrize(
    ("header", "name", "filename"),
    [
        ('form-data; name="content"; filename="a b.whl"', "content", "a b.whl"),
        ("form-data; name=package; filename=package.nupkg; filename*=utf-8''package.nupkg", "package", "package.nupkg"),
        ("form-data; name=\"x\"; filename*=UTF-8''%e2%82%ac.txt", "x", "€.txt"),
        ("form-data; name=\"x\"; filename*=UTF-8''%e2%82%ac.txt; filename=euro.txt", "x", "€.txt"),
        ('form-data; name="a;b=c"; filename="say \\"hi\\".txt"', "a;b=c", 'say "hi".txt'),
        ('form-data; name="x"; filename="C:\\dir\\f.txt"', "x", "C:\\dir\\f.txt"),
        ('form-data;name="source-archive"', "source-archive", None),
        ('FORM-DATA; Name="x" ; FILENAME="y"', "x", "y"),
        ('form-data; name="é"', "é", None),
    ],
)
def test_clients_spell_dispositions_in_many_ways(header: str, name: str, filename: str | None) -> None:
    body = f"--b0\r\ncontent-disposition: {header}\r\n\r\nx\r\n--b0--\r\n".encode()

    assert parsed(body, b"b0", []) == [(name, filename, b"x")]


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data; boundary=abc",
        'multipart/form-data; boundary="abc"',
        'Multipart/Form-Data;boundary="abc";x=y',
    ],
)
def test_the_boundary_may_be_quoted(content_type: str) -> None:
    assert boundary_of(content_type) == b"abc"


@pytest.mark.parametrize(
    "content_type",
    ["", "text/xml", "multipart/mixed; boundary=a", "multipart/form-data", "multipart/form-data; boundary=",
     "multipart/form-data; boundary=" + "a" * 201, "multipart/form-data; boundary=é"],
)  # fmt: skip
def test_a_content_type_without_usable_boundary_is_refused(content_type: str) -> None:
    with pytest.raises(Validation):
        boundary_of(content_type)


@given(st.text(max_size=80))
def test_any_header_can_be_read(text: str) -> None:
    media_type(text)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no form",
        b"--b0\r\n",
        b'--b0\r\nContent-Disposition: form-data; name="a"\r\n\r\nx',
        b'--b0\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n--b0',
        b'--b0\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n--b0\r\n',
        b'--b0 junk\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n--b0--\r\n',
        b"--b0\r\nContent-Disposition: attachment\r\n\r\nx\r\n--b0--\r\n",
        b"--b0\r\n\r\nx\r\n--b0--\r\n",
        b"--b0\r\nno colon\r\n\r\nx\r\n--b0--\r\n",
        b'--b0\r\nContent-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: base64\r\n\r\nx\r\n--b0--\r\n',
    ],
)
def test_a_broken_or_short_form_is_refused(body: bytes) -> None:
    with pytest.raises(Validation):
        parsed(body, b"b0", [])


def test_preamble_and_epilogue_are_passed_over() -> None:
    body = b'hello\r\n--b0  \r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n--b0--\r\nbye'

    assert parsed(body, b"b0", [3, 7, 9]) == [("a", None, b"x")]


async def pieces(body: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def test_fields_and_files_come_in_any_order() -> None:
    head = b"--b0\r\nContent-Disposition: form-data; "
    body = (
        head + b'name="content"; filename="f.bin"\r\n\r\n' + b"z" * 5000 + b"\r\n"
        + head + b'name="name"\r\n\r\nsample\r\n'
        + head + b'name="tag"\r\n\r\none\r\n' + head + b'name="tag"\r\n\r\ntwo\r\n--b0--\r\n'
    )  # fmt: skip

    async with receive("multipart/form-data; boundary=b0", pieces(body, 7), MemoryBlobs().of(1).stage) as form:
        content = form.file("content")
        assert content is not None
        assert (content.filename, content.staged.size) == ("f.bin", 5000)
        assert form.text("name") == "sample"
        assert form.texts("tag") == ["one", "two"]
        assert form.text("absent") is None
        path = content.staged.path
        assert await asyncio.to_thread(path.exists)

    assert not await asyncio.to_thread(path.exists)


async def test_a_named_part_without_file_name_can_be_a_file() -> None:
    content_type, body = multipart([("source-archive", b"PK"), ("metadata", "{}")], [])

    async with receive(content_type, pieces(body), MemoryBlobs().of(1).stage, files={"source-archive"}) as form:
        archive = form.file("source-archive")
        assert archive is not None
        assert archive.filename is None
        assert archive.staged.size == 2
        assert form.text("metadata") == "{}"


async def test_a_request_can_be_refused_before_its_file_is_read() -> None:
    content_type, body = multipart([("name", "secret")], [("content", "f.bin", b"z" * 100_000)])
    read = 0

    async def counted() -> AsyncIterator[bytes]:
        nonlocal read
        async for chunk in pieces(body):
            read += len(chunk)
            yield chunk

    async def refuse(form: Form) -> None:
        raise AccessDenied(f"no {form.text('name')}")

    with pytest.raises(AccessDenied, match="no secret"):
        async with receive(content_type, counted(), MemoryBlobs().of(1).stage, before_file=refuse):
            pytest.fail("the form must not be complete")
    assert read < 5000


@pytest.mark.parametrize(
    ("limits", "fields", "files"),
    [
        (Limits(parts=2), [("a", "1"), ("b", "2"), ("c", "3")], []),
        (Limits(files=1), [], [("a", "a", b"1"), ("b", "b", b"2")]),
        (Limits(field_bytes=10), [("a", "x" * 11)], []),
        (Limits(fields_bytes=10), [("a", "x" * 6), ("b", "x" * 6)], []),
        (Limits(header_bytes=100), [("a" * 200, "1")], []),
        (Limits(file_bytes=10), [], [("a", "a", b"x" * 11)]),
    ],
)
async def test_limits_hold(
    limits: Limits, fields: list[tuple[str, str | bytes]], files: list[tuple[str, str, bytes]]
) -> None:
    content_type, body = multipart(fields, files)

    with pytest.raises(TooLarge):
        async with receive(content_type, pieces(body, 5), MemoryBlobs().of(1).stage, limits=limits):
            pytest.fail("the form must not be complete")


async def test_text_that_is_not_utf8_is_refused() -> None:
    content_type, body = multipart([("a", b"\xff\xfe")], [])

    async with receive(content_type, pieces(body), MemoryBlobs().of(1).stage) as form:
        with pytest.raises(Validation, match="UTF-8"):
            form.text("a")


async def test_a_large_file_takes_constant_memory() -> None:
    head = b'--b0\r\nContent-Disposition: form-data; name="content"; filename="f"\r\n\r\n'

    async def big() -> AsyncIterator[bytes]:
        yield head
        for _ in range(512):
            yield b"\r" * 65536
        yield b"\r\n--b0--\r\n"

    tracemalloc.start()
    try:
        async with receive("multipart/form-data; boundary=b0", big(), MemoryBlobs().of(1).stage) as form:
            content = form.file("content")
            assert content is not None
            assert content.staged.size == 512 * 65536
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * 1024**2


@given(
    name=st.text(st.characters(blacklist_categories=("Cs",)), max_size=12),
    filename=st.none() | st.text(st.characters(blacklist_categories=("Cs",)), max_size=12),
    kind=st.none() | st.sampled_from(["text/plain", "application/octet-stream; x=y", "a b", ""]),
    spelled=st.sampled_from(["Content-Disposition", "content-disposition", "CONTENT-DISPOSITION"]),
    junk=st.binary(max_size=3),
)
def test_a_common_head_reads_as_any_head_does(
    name: str, filename: str | None, kind: str | None, spelled: str, junk: bytes
) -> None:
    raw = f'\r\n{spelled}: form-data; name="{name}"'.encode() + junk
    if filename is not None:
        raw += f'; filename="{filename}"'.encode()
    if kind is not None:
        raw += f"\r\nContent-Type: {kind}".encode()

    def read(how: Callable[[bytes], Head]) -> Head | str:
        try:
            return how(raw)
        except Validation as err:
            return str(err)

    assert read(_head) == read(_any_head)
