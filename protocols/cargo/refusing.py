"""ValueError, which pure functions raise, as what the core knows."""

from __future__ import annotations

from types import TracebackType

from protocols.cargo import names
from registry.core.errors import ResourceNotFound, Validation
from registry.core.types import PackageKey, VersionKey


class refusing:
    """`with refusing(): ...` turns ValueError into Validation."""

    __slots__ = ()

    def __enter__(self) -> None:
        return

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, ValueError):
            raise Validation(str(error)) from None


def package(name: str) -> PackageKey:
    """The crate that a path names.  There is none of an impossible name: ResourceNotFound."""
    try:
        return names.package(name)
    except ValueError as err:
        raise ResourceNotFound(str(err), resource_id=name, resource_type="package") from None


def version(crate: str, text: str) -> VersionKey:
    """The version that a path names.  Raises ResourceNotFound."""
    key = package(crate)
    try:
        return VersionKey(key, names.canonical_version(text))
    except ValueError as err:
        raise ResourceNotFound(str(err), resource_id=text, resource_type="package-version") from None
