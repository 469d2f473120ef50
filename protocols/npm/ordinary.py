"""The publish that nearly every client sends, small and plain, taken apart in one go.

`scan.Scanner` understands every body and decides what is wrong with one.  This finds the same as it would, in a tenth
of the time, or leaves the body to it.
"""

from __future__ import annotations

from dataclasses import dataclass

from protocols.npm import jsontext
from protocols.npm.parse import Document
from protocols.npm.scan import MAX_DEPTH

LIGHT = 24 * 1024
"""Up to here a body is so little work that a thread would cost more than it spares the loop."""
_MANY_TAGS = 8
_DATA = b'"data"'


@dataclass(frozen=True, slots=True)
class Plain:
    """`text` is the tarball's base64; `key` its name in the document."""

    document: Document
    key: str
    text: bytes

    @property
    def light(self) -> bool:
        """Is taking it further as little work as its size says?"""
        return len(self.document.versions or {}) == 1 and len(self.document.tags) <= _MANY_TAGS


def split(body: bytes) -> Plain | None:
    """The parts of a body, or None for one that is not plain.

    A key that is there twice, however spelled, and nesting of any depth are not: the decoder takes the last of two,
    the scanner refuses them.
    """
    start = body.find(_DATA)
    opens = body.find(b'"', start + len(_DATA))
    ends = body.find(b'"', opens + 1)
    if start < 0 or opens < 0 or ends < 0:
        return None
    rest = body[:opens] + body[ends:]
    if (
        b"\\u" in rest
        or rest.count(b'"_attachments"') != 1
        or rest.count(_DATA) != 1
        or rest.count(b"{") + rest.count(b"[") > MAX_DEPTH
    ):
        return None
    try:
        document = jsontext.decode(body, Document)
    except ValueError:
        return None
    if len(document.attachments) != 1:
        return None
    ((key, attachment),) = document.attachments.items()
    text = body[opens + 1 : ends]
    if key.endswith(".sigstore") or not text or b"\\" in text or bytes(attachment.data) != body[opens : ends + 1]:
        return None
    return Plain(document, key, text)
