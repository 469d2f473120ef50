"""Authorization tokens.  Guide chapter "AWS CodeArtifact authentication and tokens"."""

from __future__ import annotations

from collections.abc import Iterable

from registry.control import resources
from registry.control.call import Call, Need, Params, Result, Target, operation
from registry.core import repositories
from registry.core.errors import Validation
from registry.core.services import Services
from registry.core.types import Caller

LONGEST = 43_200
SHORTEST = 900


def bearer(services: Services, caller: Caller, p: Params) -> Iterable[Need]:
    """A token needs sts:GetServiceBearerToken besides; only identity policies can give it."""
    conditions = {
        "sts:AWSServiceName": "codeartifact.amazonaws.com",
        "sts:DurationSeconds": str(p.get("durationSeconds", LONGEST)),
    }
    return (Need("sts:GetServiceBearerToken", Target("*"), conditions),)


@operation("GetAuthorizationToken", on=resources.domain, also=bearer)
async def get_authorization_token(call: Call, p: Params) -> Result:
    seconds = p.get("durationSeconds", LONGEST)
    now, end = call.services.clock.now(), call.caller.expires
    if seconds == 0 and end is None:
        raise Validation("A duration of 0 means the rest of a role session; these credentials are of no session")
    if 0 < seconds < SHORTEST:
        raise Validation(f"The duration must be 0, or from {SHORTEST} to {LONGEST} seconds, not {seconds}")
    domain = await call.glance(lambda tx: repositories.domain(tx, call.domain))
    expires = end if seconds == 0 and end is not None else now + seconds * 1000
    return {"authorizationToken": call.tokens.mint(call.caller, domain.id, expires), "expiration": expires}
