"""Resource tags of domains and repositories.  Guide chapter "Tagging resources"."""

from __future__ import annotations

from registry.control import resources, shapes
from registry.control.call import Call, Params, Result, operation
from registry.control.given import given_tags
from registry.core import repositories


@operation("TagResource", on=resources.tagged)
async def tag_resource(call: Call, p: Params) -> Result:
    tags = given_tags(p)
    await call.write(lambda tx: repositories.tag(tx, call.services, call.target.arn, tags))
    return {}


@operation("UntagResource", on=resources.tagged)
async def untag_resource(call: Call, p: Params) -> Result:
    await call.write(lambda tx: repositories.untag(tx, call.services, call.target.arn, p["tagKeys"]))
    return {}


@operation("ListTagsForResource", on=resources.tagged)
async def list_tags_for_resource(call: Call, p: Params) -> Result:
    found = await call.glance(lambda tx: repositories.tags(tx, call.services, call.target.arn))
    return {"tags": shapes.tags(found)}
