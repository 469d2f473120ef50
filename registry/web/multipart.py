"""Streaming multipart/form-data (RFC 7578, RFC 2046 section 5.1): fields in memory within limits, files to staging.

Knows no format.  `receive` is what handlers use; `Parser` is the pure, incremental part below it.
Fields and files may come in any order and be cut anywhere; memory stays constant whatever a file's size.
Attribute values may be quoted or bare, the boundary too, and a part needs no filename to be a file
when its name is given in `files` (Swift's client sends none, NuGet's sends everything unquoted).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import unquote

from registry.core.errors import TooLarge, Validation
from registry.core.ports import Staging
from registry.core.types import Staged

_BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~")
_IDENTITY = frozenset({"", "7bit", "8bit", "binary", "quoted-printable"})


@dataclass(frozen=True, slots=True)
class Limits:
    """What a form may hold at most; `file_bytes` None leaves the size of a file to its staging."""

    parts: int = 2000
    files: int = 4
    field_bytes: int = 4 * 1024**2
    fields_bytes: int = 16 * 1024**2
    header_bytes: int = 16 * 1024
    file_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """The headers of a part, names in lower case."""

    name: str
    filename: str | None
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Data:
    """Some bytes of the current part."""

    chunk: bytes


@dataclass(frozen=True, slots=True)
class End:
    """The current part is complete."""


@dataclass(frozen=True, slots=True)
class FilePart:
    """A file of the form, staged."""

    name: str
    filename: str | None
    headers: Mapping[str, str]
    staged: Staged


@dataclass(slots=True)
class Form:
    """A form: fields in the order in which they came, and files."""

    fields: list[tuple[str, bytes]] = field(default_factory=list)
    files: list[FilePart] = field(default_factory=list)

    def text(self, name: str) -> str | None:
        """The first field of that name, as UTF-8.  Raises Validation when it is not."""
        return next(iter(self.texts(name)), None)

    def texts(self, name: str) -> list[str]:
        """Every field of that name, as UTF-8.  Raises Validation when one is not."""
        try:
            return [value.decode() for key, value in self.fields if key == name]
        except UnicodeDecodeError:
            raise Validation(f"The form field {name!r} is not UTF-8") from None

    def file(self, name: str) -> FilePart | None:
        """The first file of that name."""
        return next((part for part in self.files if part.name == name), None)


def media_type(value: str) -> tuple[str, dict[str, str]]:
    """A header like Content-Type or Content-Disposition: its lower-case value and its parameters.

    Quoted strings may hold anything.  A backslash escapes only a quote or a backslash, as clients on
    Windows send bare ones.  `name*=utf-8''...` (RFC 8187) wins over `name=`.
    """
    main, _, rest = value.partition(";")
    params: dict[str, str] = {}
    for key, text in _parameters(rest):
        if key.endswith("*") and text.count("'") >= 2:
            charset, _, quoted = text.split("'", 2)
            params[key[:-1]] = unquote(quoted, encoding=_charset(charset), errors="replace")
        else:
            params.setdefault(key, text)
    return main.strip().lower(), params


def _charset(name: str) -> str:
    return "latin-1" if name.lower() == "iso-8859-1" else "utf-8"


def _parameters(rest: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(rest):
        equals = rest.find("=", at)
        if equals < 0:
            return
        key = rest[at:equals].strip(" \t;").lower()
        at = equals + 1
        while at < len(rest) and rest[at] in " \t":
            at += 1
        if at < len(rest) and rest[at] == '"':
            text, at = _quoted(rest, at + 1)
            after = rest.find(";", at)
            at = len(rest) if after < 0 else after + 1
        else:
            after = rest.find(";", at)
            end = len(rest) if after < 0 else after
            text, at = rest[at:end].strip(), end + 1
        yield key, text


def _quoted(rest: str, at: int) -> tuple[str, int]:
    out: list[str] = []
    while at < len(rest):
        char = rest[at]
        if char == '"':
            return "".join(out), at + 1
        if char == "\\" and rest[at + 1 : at + 2] in ('"', "\\"):
            at += 1
            char = rest[at]
        out.append(char)
        at += 1
    return "".join(out), at


def boundary_of(content_type: str) -> bytes:
    """The boundary of a multipart/form-data Content-Type.  Raises Validation for anything else."""
    kind, params = media_type(content_type)
    if kind != "multipart/form-data":
        raise Validation(f"multipart/form-data is expected here, not {kind or 'no Content-Type'!r}")
    boundary = params.get("boundary", "")
    if not 1 <= len(boundary) <= 200 or not boundary.isascii() or not boundary.isprintable():
        raise Validation("The Content-Type has no usable multipart boundary")
    return boundary.encode("ascii")


class Parser:
    """Bytes in, events out, at any cut.  `close()` raises Validation when the form was not complete."""

    def __init__(self, boundary: bytes, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._delimiter = b"\r\n--" + boundary
        # A form may begin with its boundary at once: pretend that a line ended before it.
        self._buffer = bytearray(b"\r\n")
        self._state = self._preamble
        self._parts = 0
        self._done = False

    def feed(self, chunk: bytes) -> Iterator[Head | Data | End]:
        """Events that these bytes complete.  Exhaust the iterator before the next call."""
        if self._done:
            return
        self._buffer += chunk
        while not self._done:
            event = self._state()
            if event is None:
                return
            yield event

    def close(self) -> None:
        """Say that the body has ended."""
        if not self._done:
            raise Validation("The multipart body is cut short")

    # Each state consumes what it can and returns an event, or None to wait for more.

    def _preamble(self) -> Head | Data | End | None:
        at = self._buffer.find(self._delimiter)
        if at < 0:
            keep = len(self._delimiter) - 1
            if len(self._buffer) > keep:
                del self._buffer[:-keep]
            return None
        del self._buffer[: at + len(self._delimiter)]
        self._state = self._after_delimiter
        return self._after_delimiter()

    def _after_delimiter(self) -> Head | Data | End | None:
        if self._buffer[:2] == b"--":
            self._done = True
            self._buffer.clear()
            return None
        line = self._buffer.find(b"\r\n")
        if line < 0:
            if len(self._buffer) > 128:
                raise Validation("A multipart boundary is followed by something else")
            return None
        if bytes(self._buffer[:line]).strip(b" \t"):
            raise Validation("A multipart boundary is followed by something else")
        # The line end stays: a part without headers has its empty line right here.
        del self._buffer[:line]
        self._state = self._head
        return self._head()

    def _head(self) -> Head | Data | End | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end > self._limits.header_bytes or (end < 0 and len(self._buffer) > self._limits.header_bytes + 4):
            raise TooLarge(f"The headers of a form part exceed {self._limits.header_bytes} bytes")
        if end < 0:
            return None
        self._parts += 1
        if self._parts > self._limits.parts:
            raise TooLarge(f"The form has more than {self._limits.parts} parts")
        head = _head(bytes(self._buffer[:end]))
        # The last line end stays: the delimiter of an empty part begins with it.
        del self._buffer[: end + 2]
        self._state = self._first
        return head

    def _first(self) -> Head | Data | End | None:
        """Right after the headers: an empty part's delimiter shares the line end of the headers."""
        if len(self._buffer) < len(self._delimiter) and self._delimiter.startswith(self._buffer):
            return None
        if self._buffer.startswith(self._delimiter):
            return self._end(0)
        del self._buffer[:2]
        self._state = self._body
        return self._body()

    def _body(self) -> Head | Data | End | None:
        at = self._buffer.find(self._delimiter)
        if at == 0:
            return self._end(0)
        upto = at if at > 0 else self._safe()
        if upto <= 0:
            return None
        data = Data(bytes(self._buffer[:upto]))
        del self._buffer[:upto]
        return data

    def _safe(self) -> int:
        """How many bytes cannot belong to a delimiter that is still arriving."""
        start = max(0, len(self._buffer) - len(self._delimiter) + 1)
        at = self._buffer.find(b"\r", start)
        while at >= 0 and not self._delimiter.startswith(self._buffer[at:]):
            at = self._buffer.find(b"\r", at + 1)
        return len(self._buffer) if at < 0 else at

    def _end(self, at: int) -> End:
        del self._buffer[: at + len(self._delimiter)]
        self._state = self._after_delimiter
        return End()


_COMMON = re.compile(
    rb'\r\nContent-Disposition: (form-data; name="([^"\\\r\n]+)"(?:; filename="([^"\\\r\n]+)")?)'
    rb"(?:\r\nContent-Type: ([a-z0-9/.+-]+))?",
    re.IGNORECASE,
)
"""How nearly every client writes a part's headers; others take the long way to the same result."""


def _head(raw: bytes) -> Head:
    common = _COMMON.fullmatch(raw)
    if common is not None:
        value, name, filename, kind = (
            None if text is None else text.decode("utf-8", "replace") for text in common.groups()
        )
        headers = {"content-disposition": value or ""}
        if kind is not None:
            headers["content-type"] = kind
        return Head(name or "", filename, headers)
    return _any_head(raw)


def _any_head(raw: bytes) -> Head:
    headers: dict[str, str] = {}
    for line in raw.split(b"\r\n"):
        if not line:
            continue
        name, colon, value = line.partition(b":")
        key = name.decode("latin-1").strip().lower()
        if not colon or not key or not set(key) <= _BARE:
            raise Validation("A form part has a malformed header")
        headers[key] = value.decode("utf-8", "replace").strip()
    kind, params = media_type(headers.get("content-disposition", ""))
    if kind != "form-data" or "name" not in params:
        raise Validation("A form part has no Content-Disposition with a name")
    encoding = headers.get("content-transfer-encoding", "").lower()
    if encoding not in _IDENTITY:
        raise Validation(f"Content-Transfer-Encoding {encoding!r} is not supported in a form")
    return Head(params["name"], params.get("filename"), headers)


Stage = Callable[[], AbstractAsyncContextManager[Staging]]


@asynccontextmanager
async def receive(
    content_type: str,
    chunks: AsyncIterator[bytes],
    stage: Stage,
    *,
    limits: Limits | None = None,
    files: Collection[str] = (),
    before_file: Callable[[Form], Awaitable[None]] | None = None,
) -> AsyncIterator[Form]:
    """The whole form; its staged files live as long as the context.

    `files` names parts that are files though they carry no filename.  `before_file` is called with the
    fields so far when a file begins, so that a request can be refused before its body is read.
    Raises Validation for a malformed or incomplete form and TooLarge above a limit.
    """
    bounds = limits or Limits()
    async with AsyncExitStack() as stack:
        receiver = _Receiver(bounds, frozenset(files), stage, stack, before_file)
        parser = Parser(boundary_of(content_type), bounds)
        async for chunk in chunks:
            for event in parser.feed(chunk):
                if not receiver.field(event):
                    await receiver.take(event)
        parser.close()
        yield receiver.form


class _Receiver:
    """Puts events where they belong."""

    def __init__(
        self,
        limits: Limits,
        files: frozenset[str],
        stage: Stage,
        stack: AsyncExitStack,
        before_file: Callable[[Form], Awaitable[None]] | None,
    ) -> None:
        self.form = Form()
        self._limits = limits
        self._files = files
        self._stage = stage
        self._stack = stack
        self._before_file = before_file
        self._head = Head("", None, {})
        self._value = bytearray()
        self._staging: Staging | None = None
        self._size = 0
        self._spent = 0

    def field(self, event: Head | Data | End) -> bool:
        """Take what belongs to a field; False for what belongs to a file."""
        if isinstance(event, Head):
            self._head, self._value, self._size = event, bytearray(), 0
            return event.filename is None and event.name not in self._files
        if self._staging is not None:
            return False
        if isinstance(event, Data):
            self._more(event.chunk)
        else:
            self.form.fields.append((self._head.name, bytes(self._value)))
        return True

    async def take(self, event: Head | Data | End) -> None:
        """Take what belongs to a file."""
        if isinstance(event, Head):
            await self._begin()
        elif self._staging is None:
            return
        elif isinstance(event, Data):
            await self._write(self._staging, event.chunk)
        else:
            staged = await self._staging.done()
            self.form.files.append(FilePart(self._head.name, self._head.filename, self._head.headers, staged))
            self._staging = None

    async def _begin(self) -> None:
        if len(self.form.files) >= self._limits.files:
            raise TooLarge(f"The form has more than {self._limits.files} files")
        if self._before_file is not None:
            await self._before_file(self.form)
        self._staging = await self._stack.enter_async_context(self._stage())

    async def _write(self, staging: Staging, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._limits.file_bytes is not None and self._size > self._limits.file_bytes:
            raise TooLarge(
                f"The file {self._head.filename or self._head.name!r} exceeds {self._limits.file_bytes} bytes"
            )
        await staging.write(chunk)

    def _more(self, chunk: bytes) -> None:
        self._size += len(chunk)
        self._spent += len(chunk)
        if self._size > self._limits.field_bytes or self._spent > self._limits.fields_bytes:
            raise TooLarge(f"The form field {self._head.name!r} is too large")
        self._value += chunk
