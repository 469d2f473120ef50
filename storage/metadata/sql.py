"""The port between tables and engines, and the few words of SQL that are put together at run time.

SQL text is one for every engine.  Only counts of placeholders and optional conditions vary; values are always bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Protocol, TypeVar

K = TypeVar("K", int, str)
T = TypeVar("T")

MANY = 500
"""How many values one IN list takes; longer ones are asked for in parts."""


class Sql(Protocol):
    """One open transaction of one engine."""

    async def fetch(self, sql: str, *args: Any) -> Sequence[Any]:
        """Every row, as something that can be indexed and unpacked like a tuple."""

    async def row(self, sql: str, *args: Any) -> Any:
        """The first row, or None."""

    async def run(self, sql: str, *args: Any) -> int:
        """The number of rows that were changed."""

    async def aside(self, size: int, work: Callable[..., T], *args: Any) -> T:
        """`work(*args)` on something of `size` bytes: elsewhere where a large one would hold up the loop."""


class Conditions:
    """Conditions that are joined by AND, with their values bound in order."""

    def __init__(self, *args: Any) -> None:
        self.args: list[Any] = list(args)
        self._parts: list[str] = []

    def bind(self, value: Any) -> str:
        """The placeholder of a further value."""
        self.args.append(value)
        return f"${len(self.args)}"

    def add(self, template: str, *values: Any) -> None:
        """A condition; each `?` stands for the next of the values."""
        if template.count("?") != len(values):
            raise ValueError(f"{template} takes {template.count('?')} values, not {len(values)}")
        for value in values:
            template = template.replace("?", self.bind(value), 1)
        self._parts.append(template)

    def prefix(self, column: str, prefix: str) -> None:
        """That a text begins so, in a way that an index can answer and that does not ignore case."""
        self.add(f"{column} >= ?", prefix)
        self.add(f"{column} < ?", prefix + "\U0010ffff")

    def __str__(self) -> str:
        return " and ".join(self._parts) or "1 = 1"


@lru_cache(maxsize=2048)
def marks(count: int, start: int = 1) -> str:
    """`$start, ...`: the inside of an IN list of `count` values."""
    return ", ".join([f"${number}" for number in range(start, start + count)])


def parts(values: Sequence[K], size: int = MANY) -> Iterator[Sequence[K]]:
    """The values in runs of at most `size`."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def contains(text: str) -> str:
    """A LIKE pattern (escape "!") for a text that contains this one."""
    for special in "!%_":
        text = text.replace(special, "!" + special)
    return f"%{text}%"
