"""Maven's settings.xml: elements set by their path and id, everything else kept, comments included."""

from __future__ import annotations

from collections.abc import Iterator

from lxml import etree

from registry.login.errors import Malformed

_EMPTY = "<settings>\n</settings>\n"
_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
_STEP = "  "


class Settings:
    """The document.  Raises Malformed for what Maven would not read."""

    def __init__(self, text: str) -> None:
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
        try:
            self.root = etree.fromstring((text if text.strip() else _EMPTY).encode(), parser)
        except etree.XMLSyntaxError as err:
            raise Malformed(f"line {err.lineno} is not well-formed XML") from None
        if etree.QName(self.root).localname != "settings":
            raise Malformed("it has no settings element")

    def section(self, name: str) -> etree._Element:
        """The child of the root of that name, made where there is none."""
        found = next(self._named(self.root, name), None)
        return self._appended(self.root, name) if found is None else found

    def entry(self, section: etree._Element, name: str, identity: str) -> etree._Element:
        """The element with that id, emptied, or a new one that holds the id alone."""
        for element in self._named(section, name):
            held = next(self._named(element, "id"), None)
            if held is not None and (held.text or "").strip() == identity:
                for child in list(element):
                    element.remove(child)
                element.text = None
                self.text(element, "id", identity)
                return element
        made = self._appended(section, name)
        self.text(made, "id", identity)
        return made

    def text(self, parent: etree._Element, name: str, value: str) -> None:
        """One more child with a text."""
        self._appended(parent, name).text = value

    def child(self, parent: etree._Element, name: str) -> etree._Element:
        """One more child."""
        return self._appended(parent, name)

    def listed(self, section: etree._Element, name: str, value: str) -> None:
        """A child of that name and text, unless there is one."""
        if all((each.text or "").strip() != value for each in self._named(section, name)):
            self.text(section, name, value)

    def written(self) -> str:
        """The text of the file."""
        body: str = etree.tostring(self.root.getroottree(), encoding="unicode")
        return f"{_DECLARATION}{body.strip()}\n"

    def _named(self, parent: etree._Element, name: str) -> Iterator[etree._Element]:
        for child in parent:
            if isinstance(child.tag, str) and etree.QName(child).localname == name:
                yield child

    def _appended(self, parent: etree._Element, name: str) -> etree._Element:
        """At the end, on a line of its own; in the namespace of its parent."""
        space = etree.QName(parent).namespace
        depth = sum(1 for _ in parent.iterancestors()) + 1
        made = etree.SubElement(parent, f"{{{space}}}{name}" if space else name)
        before = made.getprevious()
        line = "\n" + _STEP * depth
        if before is None:
            parent.text = f"{(parent.text or '').rstrip()}{line}"
        else:
            before.tail = f"{(before.tail or '').rstrip()}{line}"
        made.tail = "\n" + _STEP * (depth - 1)
        return made
