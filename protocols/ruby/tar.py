"""A tar archive read forward, as Gem::Package writes it (POSIX ustar); nothing is kept and nothing is extracted.

Blocks.  Raises ValueError, in the uploader's terms, for what is broken or leads outside of the archive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

BLOCK = 512
_STEP = 256 * 1024
_FILE = b"0\0"
_EXTENSIONS = b"xgLK"
_LINKS = b"12"
_LARGEST = 1 << 40


@dataclass(frozen=True, slots=True)
class Entry:
    """A member; its content is what the archive's reader gives next."""

    name: str
    size: int
    is_file: bool


class Archive:
    """A forward reader over `read(size)`, which gives that many bytes unless the end comes first."""

    def __init__(self, read: Callable[[int], bytes], most: int) -> None:
        self._read = read
        self._most = most
        self._left = 0
        self._padding = 0

    def __iter__(self) -> Iterator[Entry]:
        for _ in range(self._most + 1):
            entry = self._next()
            if entry is None:
                return
            yield entry
        raise ValueError(f"The archive has more than {self._most} members")

    def chunks(self) -> Iterator[bytes]:
        """The content of the present member."""
        while self._left:
            chunk = self._read(min(_STEP, self._left))
            if not chunk:
                raise ValueError("The archive ends in the middle of a member")
            self._left -= len(chunk)
            yield chunk

    def content(self, limit: int) -> bytes:
        """The whole content of the present member.  Raises ValueError above the limit."""
        if self._left > limit:
            raise ValueError(f"A member that must be small has {self._left} bytes")
        return b"".join(self.chunks())

    def _next(self) -> Entry | None:
        for _ in self.chunks():
            pass
        self._read(self._padding)
        self._padding = 0
        header = self._read(BLOCK)
        if not header or not header.strip(b"\0"):
            return None
        if len(header) < BLOCK:
            raise ValueError("The archive ends in the middle of a header")
        if _number(header[148:156]) != sum(header[:148]) + 8 * 32 + sum(header[156:]):
            raise ValueError("The archive has a header with a wrong checksum")
        size, kind = _number(header[124:136]), header[156:157]
        self._left = size
        self._padding = -size % BLOCK
        name = _text(header[:100])
        if header[257:262] == b"ustar" and (prefix := _text(header[345:500])):
            name = f"{prefix}/{name}"
        if kind not in _EXTENSIONS:
            _check(name)
            if kind in _LINKS:
                _check_link(name, _text(header[157:257]))
        return Entry(name, size, kind in _FILE)


def _number(field: bytes) -> int:
    """Octal digits; the binary form of sizes beyond 8 GiB is not accepted."""
    digits = field.strip(b" \0")
    if not digits:
        return 0
    if not digits.isdigit() or b"8" in digits or b"9" in digits:
        raise ValueError("The archive has a header that is no tar header")
    value = int(digits, 8)
    if value > _LARGEST:
        raise ValueError("The archive has a member that is too large")
    return value


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "replace")


def _check(name: str) -> None:
    parts = name.replace("\\", "/").split("/")
    if not name or name.startswith(("/", "\\")) or ".." in parts or (len(parts[0]) == 2 and parts[0][1] == ":"):
        raise ValueError(f"The archive has a member outside of its folder: {name[:200]!r}")


def _check_link(name: str, target: str) -> None:
    """A link may go up, but not out of the archive (Gem::Package refuses the same)."""
    depth = len([part for part in name.split("/")[:-1] if part not in ("", ".")])
    if target.startswith(("/", "\\")):
        raise ValueError(f"The archive has a link that leads outside of it: {name[:200]!r}")
    for part in target.replace("\\", "/").split("/"):
        depth += -1 if part == ".." else 0 if part in ("", ".") else 1
        if depth < 0:
            raise ValueError(f"The archive has a link that leads outside of it: {name[:200]!r}")
