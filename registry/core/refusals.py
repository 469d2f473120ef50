"""What is said to a caller who may not."""

from __future__ import annotations

from registry.core.decision import Ask, Outcome, account_of
from registry.core.errors import AccessDenied, RegistryError, ResourceNotFound

# The service model has no ResourceNotFound for these; they say AccessDenied whether the domain is there or not.
_SPEECHLESS = {"codeartifact:createdomain", "codeartifact:deletedomain"}


def refusal(outcome: Outcome, ask: Ask) -> RegistryError:
    if outcome == "hidden" and ask.action.lower() not in _SPEECHLESS:
        return not_found(ask.resource)
    reason = {
        "hidden": f"because no resource-based policy allows the {ask.action} action",
        "identity deny": "with an explicit deny in an identity-based policy",
        "limit deny": f"with an explicit deny in a {_limit(ask)}",
        "resource deny": "with an explicit deny in a resource-based policy",
        "no identity allow": f"because no identity-based policy allows the {ask.action} action",
        "no limit allow": f"because no {_limit(ask)} allows the {ask.action} action",
        "no resource allow": f"because no resource-based policy allows the {ask.action} action",
        "other token": "because the authorization token is for another domain",
    }[outcome]
    return AccessDenied(
        f"User: {ask.caller.arn} is not authorized to perform: {ask.action} on resource: {ask.resource} {reason}"
    )


def _limit(ask: Ask) -> str:
    return "session policy" if ask.caller.policies or ask.caller.policy_arns else "permissions boundary"


def not_found(resource: str) -> ResourceNotFound:
    """What is said of a domain that is not there, or must seem so; `resource` is any ARN within it."""
    owner = account_of(resource)
    name = [*resource.split(":", 5)[5].split("/"), ""][1]
    return ResourceNotFound(
        f"Domain not found. Domain: '{name}', owner: '{owner}'", resource_id=name, resource_type="domain"
    )
