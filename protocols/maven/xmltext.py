"""Strangers' XML read safely: no entities, no network, no DTD, bounded; namespaces are passed over; blocks."""

from __future__ import annotations

from collections.abc import Iterator

from lxml import etree

LIMIT = 4 * 1024**2
_LONGEST = 4096


def root(body: bytes, name: str) -> etree._Element:
    """The document's root.  Raises ValueError for what is not XML, is too large, or has another root."""
    if len(body) > LIMIT:
        raise ValueError(f"The document is larger than {LIMIT} bytes")
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        found = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError, LookupError) as err:
        raise ValueError(f"The document is not XML: {str(err)[:200]}") from None
    if found is None or local(found) != name:
        raise ValueError(f"The document is not a <{name}>")
    return found


def local(element: etree._Element) -> str:
    """An element's name without its namespace; empty for what is no element (an entity)."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def children(element: etree._Element | None, *path: str) -> Iterator[etree._Element]:
    """Elements below, by a path of names, every one that fits."""
    if element is None:
        return
    head, *more = path
    for child in element:
        if local(child) == head:
            if more:
                yield from children(child, *more)
            else:
                yield child


def child(element: etree._Element | None, *path: str) -> etree._Element | None:
    """The first of them."""
    return next(children(element, *path), None)


def text(element: etree._Element | None, *path: str) -> str:
    """The stripped text of the first of them; empty when there is none."""
    found = child(element, *path) if path else element
    value = found.text if found is not None else None
    return value.strip()[:_LONGEST] if isinstance(value, str) else ""
