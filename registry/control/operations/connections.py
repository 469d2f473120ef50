"""External connections.  Guide chapter "Connect a CodeArtifact repository to a public repository"."""

from __future__ import annotations

from registry.control import resources, shapes
from registry.control.call import Call, Params, Result, operation
from registry.core import repositories


@operation("AssociateExternalConnection", on=resources.repository)
async def associate(call: Call, p: Params) -> Result:
    name = p["externalConnection"]
    record = await call.write(lambda tx: repositories.associate_connection(tx, call.services, call.repository, name))
    return {"repository": shapes.repository(record, call.services.arns)}


@operation("DisassociateExternalConnection", on=resources.repository)
async def disassociate(call: Call, p: Params) -> Result:
    name = p["externalConnection"]
    record = await call.write(lambda tx: repositories.disassociate_connection(tx, call.services, call.repository, name))
    return {"repository": shapes.repository(record, call.services.arns)}
