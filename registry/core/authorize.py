"""The one decision: may this caller do that to this resource, now?

    await require(tx, arns=arns, caller=caller, action="ReadFromRepository",
                  resource=arns.repository(repo), domain=domain, repository=repo, context=context)

Raises AccessDenied, else returns None.  Must know nothing of HTTP and of formats.
"""

from __future__ import annotations

from collections.abc import Mapping

from registry.core.arns import Arns
from registry.core.ports import Tx
from registry.core.types import Caller, Domain, RepoKey


async def require(
    tx: Tx,
    *,
    arns: Arns,
    caller: Caller,
    action: str,
    resource: str,
    domain: Domain | None = None,
    repository: RepoKey | None = None,
    context: Mapping[str, str] = {},
) -> None:
    """Allow, or raise AccessDenied.

    `action` is an operation name ("ReadFromRepository"), or has its service prefix ("sts:GetServiceBearerToken").
    `resource` is the ARN that the action is about; `domain` and `repository` say whose policies count.
    `context` holds condition keys of the request ("aws:SourceIp", "aws:RequestTag/KEY"); those of the caller
    and the resource's tags are added here.  A key with several values joins them by a newline.
    """
    raise NotImplementedError
