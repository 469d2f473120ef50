"""Members that several operations read in the same way."""

from __future__ import annotations

from registry.control.call import Params
from registry.core.errors import Validation


def given_tags(p: Params) -> dict[str, str]:
    """The tags of a request.  Raises Validation for a key that comes twice."""
    tags: dict[str, str] = {}
    for tag in p.get("tags") or ():
        if tag["key"] in tags:
            raise Validation(f"The tag key '{tag['key']}' is given twice")
        tags[tag["key"]] = tag["value"]
    return tags


def given_upstreams(p: Params) -> list[str] | None:
    """The names of the upstreams of a request, None when it leaves them out."""
    upstreams = p.get("upstreams")
    return None if upstreams is None else [each["repositoryName"] for each in upstreams]
