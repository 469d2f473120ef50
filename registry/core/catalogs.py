"""What a repository and its upstreams hold of one format, as a whole: for indexes of many packages."""

from __future__ import annotations

from dataclasses import dataclass

from registry.core.types import Stamp


@dataclass(frozen=True, slots=True)
class Catalog:
    """The stored packages of one format along a search.

    Equal `stamp` means that no package has come, gone or changed.  `complete`: no external connection of the format
    is within reach, so that there is nothing besides what is stored.
    """

    stamp: Stamp
    complete: bool
