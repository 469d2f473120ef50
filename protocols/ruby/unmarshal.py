"""Reads the little of Ruby's Marshal 4.8 that a dependencies API answers with; pure.

Only nil, true, false, integers, strings, symbols, arrays and hashes: no object is ever made, whatever the bytes say.
Depth, size and count are bounded.  Raises ValueError for everything else.
"""

from __future__ import annotations

from typing import TypeAlias

Value: TypeAlias = "bool | int | str | list[Value] | dict[str, Value] | None"

MOST = 2_000_000
"""Values of one dump."""
_DEEPEST = 12


def load(body: bytes) -> Value:
    """The value of a whole dump; hashes have their symbols and strings as keys."""
    if body[:2] != b"\x04\x08":
        raise ValueError("not a Marshal dump of version 4.8")
    reader = _Reader(body)
    value = reader.value(0)
    if reader.at != len(body):
        raise ValueError("bytes after the end of the Marshal dump")
    return value


class _Reader:
    def __init__(self, body: bytes) -> None:
        self.body = body
        self.at = 2
        self.symbols: list[str] = []
        self.objects: list[Value] = []
        self.count = 0

    def value(self, depth: int) -> Value:
        self.count += 1
        if depth > _DEEPEST or self.count > MOST:
            raise ValueError("the Marshal dump is too deep or too long")
        kind = self.take(1)
        if kind in b"0TF":
            return {b"0": None, b"T": True, b"F": False}[kind]
        if kind == b"i":
            return self.long()
        if kind in b":;":
            return self.symbol(kind)
        if kind == b"@":
            return self.linked(self.long())
        if kind in b'I"':
            return self.string(kind)
        if kind == b"[":
            return self.array(depth)
        if kind == b"{":
            return self.hash(depth)
        raise ValueError(f"a Marshal type that has no place here: {kind!r}")

    def take(self, size: int) -> bytes:
        if size < 0 or self.at + size > len(self.body):
            raise ValueError("the Marshal dump is cut short")
        piece = self.body[self.at : self.at + size]
        self.at += size
        return piece

    def long(self) -> int:
        first = int.from_bytes(self.take(1), "little", signed=True)
        if first == 0:
            return 0
        if -5 < first < 5:
            size = abs(first)
            value = int.from_bytes(self.take(size), "little")
            return value if first > 0 else value - (1 << 8 * size)
        return first - 5 if first > 0 else first + 5

    def size(self) -> int:
        """A count of things of at least a byte each."""
        size = self.long()
        if not 0 <= size <= len(self.body) - self.at:
            raise ValueError("a count in the Marshal dump is wrong")
        return size

    def text(self) -> str:
        return self.take(self.size()).decode("utf-8", "replace")

    def symbol(self, kind: bytes) -> str:
        if kind == b":":
            self.symbols.append(self.text())
            return self.symbols[-1]
        index = self.long()
        if not 0 <= index < len(self.symbols):
            raise ValueError("a symbol link that leads nowhere")
        return self.symbols[index]

    def linked(self, index: int) -> Value:
        if not 0 <= index < len(self.objects):
            raise ValueError("an object link that leads nowhere")
        found = self.objects[index]
        if isinstance(found, list | dict):
            raise ValueError("a link to a collection")
        return found

    def string(self, kind: bytes) -> str:
        if kind == b"I" and self.take(1) != b'"':
            raise ValueError("instance variables of something else than a string")
        place = len(self.objects)
        self.objects.append(None)
        text = self.objects[place] = self.text()
        if kind == b"I":
            for _ in range(self.size()):
                if not isinstance(self.value(_DEEPEST), str) or not isinstance(self.value(_DEEPEST), bool | str):
                    raise ValueError("a string with strange instance variables")
        return text

    def array(self, depth: int) -> list[Value]:
        found: list[Value] = []
        self.objects.append(found)
        found.extend(self.value(depth + 1) for _ in range(self.size()))
        return found

    def hash(self, depth: int) -> dict[str, Value]:
        found: dict[str, Value] = {}
        self.objects.append(found)
        for _ in range(self.size()):
            key = self.value(depth + 1)
            if not isinstance(key, str):
                raise ValueError("a hash key that is no symbol")
            found[key] = self.value(depth + 1)
        return found
