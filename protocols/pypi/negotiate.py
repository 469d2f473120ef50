"""Which form of the simple index a client wants (PyPA specification "Simple repository API", PEP 691); pure."""

from __future__ import annotations

from typing import Literal

Kind = Literal["json", "html", "text"]

MEDIA: dict[Kind, str] = {
    "text": "text/html",
    "json": "application/vnd.pypi.simple.v1+json",
    "html": "application/vnd.pypi.simple.v1+html",
}
_LATEST = {
    "application/vnd.pypi.simple.latest+json": MEDIA["json"],
    "application/vnd.pypi.simple.latest+html": MEDIA["html"],
}


def choose(accept: str | None, forced: str | None = None) -> Kind | None:
    """The best form by q, the more exactly named one on a tie, then plain HTML (browsers, old tools).

    `forced` is the value of `?format=` and wins.  None: nothing that we have is acceptable (406).
    """
    if forced:
        # A bare plus in a query is read as a space.
        plain = forced.strip().replace(" ", "+").lower()
        wanted = _LATEST.get(plain, plain)
        return next((kind for kind, media in MEDIA.items() if media == wanted), None)
    ranges = _ranges(accept or "*/*")
    best: tuple[float, int] = (0.0, -1)
    chosen: Kind | None = None
    for kind, media in MEDIA.items():
        match = max((r for r in ranges if _matches(r[0], media)), key=lambda r: r[1], default=None)
        if match is not None and match[2] > 0 and (match[2], match[1]) > best:
            best, chosen = (match[2], match[1]), kind
    return chosen


def _ranges(accept: str) -> list[tuple[str, int, float]]:
    """(media range, how exact it is, q)."""
    found = []
    for part in accept.split(","):
        media, *params = (piece.strip().lower() for piece in part.split(";"))
        if media:
            exact = 0 if media == "*/*" else 1 if media.endswith("/*") else 2
            found.append((_LATEST.get(media, media), exact, _quality(params)))
    return found or [("*/*", 0, 1.0)]


def _quality(params: list[str]) -> float:
    for param in params:
        name, _, value = param.partition("=")
        if name.strip() == "q":
            try:
                return min(1.0, max(0.0, float(value)))
            except ValueError:
                return 0.0
    return 1.0


def _matches(wanted: str, media: str) -> bool:
    return wanted in {"*/*", media} or (wanted.endswith("/*") and media.startswith(wanted[:-1]))
