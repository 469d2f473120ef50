"""Long-lived tokens of users, as IAM's service-specific credentials: for bots and IDEs.

A credential of the service `codeartifact.amazonaws.com` is a user name and a password; the password is an authorization
token that package managers take as any other, good for every domain that its user may read.  It ends when it expires
(CredentialAgeDays), when it is made inactive or deleted, and with its user.  IAM policies say who may have one:
`iam:CreateServiceSpecificCredential`, with the condition keys `iam:ServiceSpecificCredentialServiceName` and
`iam:ServiceSpecificCredentialAgeDays`.
"""

from __future__ import annotations

from typing import Any

from registry.control.iam.call import Call, IamError, Params, Result, no_such, operation, unique_id
from registry.control.iam.keys import owner
from registry.core.iam import Credential, Principal
from registry.core.ports import Tx
from registry.identity.longlived import SERVICE, token

PER_USER = 10
DAY = 24 * 3600 * 1000


@operation("iam", "CreateServiceSpecificCredential")
async def create_credential(call: Call, p: Params) -> Result:
    if p["ServiceName"] != SERVICE:
        raise IamError("NotSupportedService", f"The service {p['ServiceName']} is not supported; only {SERVICE} is.")
    days = p.get("CredentialAgeDays")
    made = unique_id("ACCA")
    expires = call.now + days * DAY if days is not None else 0
    context = {"iam:ServiceSpecificCredentialServiceName": SERVICE}
    if days is not None:
        context["iam:ServiceSpecificCredentialAgeDays"] = str(days)

    async def work(tx: Tx) -> tuple[Principal, Credential]:
        user = await call.entity(tx, "user", p["UserName"], context=context)
        if len(await tx.principals.credentials(user.id)) >= PER_USER:
            raise IamError("LimitExceeded", f"Cannot exceed quota for ServiceSpecificCredentialsPerUser: {PER_USER}")
        credential = Credential(made, user.id, SERVICE, "", 0, True, call.now, expires)
        await tx.principals.add_credential(credential)
        return user, credential

    user, credential = await call.write(work)
    shown = {**_shown(user, credential), "ServicePassword": token(call.tools.tokens, user, credential)}
    return {"ServiceSpecificCredential": shown}


@operation("iam", "ListServiceSpecificCredentials")
async def list_credentials(call: Call, p: Params) -> Result:
    async def work(tx: Tx) -> Result:
        user = await owner(call, tx, p)
        found = await tx.principals.credentials(user.id)
        shown = [_shown(user, each) for each in found if p.get("ServiceName", each.service) == each.service]
        return {"ServiceSpecificCredentials": shown}

    return await call.read(work)


@operation("iam", "UpdateServiceSpecificCredential")
async def update_credential(call: Call, p: Params) -> Result:
    async def work(tx: Tx) -> None:
        _, credential = await _named(call, tx, p)
        await tx.principals.set_credential(credential.id, active=p["Status"] == "Active")

    if p["Status"] not in ("Active", "Inactive"):
        raise IamError("ValidationError", "Status must be Active or Inactive")
    await call.write(work)
    return {}


@operation("iam", "DeleteServiceSpecificCredential")
async def delete_credential(call: Call, p: Params) -> Result:
    async def work(tx: Tx) -> None:
        _, credential = await _named(call, tx, p)
        await tx.principals.drop_credential(credential.id)

    await call.write(work)
    return {}


async def _named(call: Call, tx: Tx, p: Params) -> tuple[Principal, Credential]:
    user = await owner(call, tx, p)
    credential = await tx.principals.credential(p["ServiceSpecificCredentialId"])
    if credential is None or credential.owner != user.id:
        raise no_such("Service Specific Credential", p["ServiceSpecificCredentialId"])
    return user, credential


def _shown(user: Principal, credential: Credential) -> dict[str, Any]:
    return {
        "CreateDate": credential.created,
        "ExpirationDate": credential.expires or None,
        "ServiceName": credential.service,
        "ServiceUserName": "aws",
        "ServiceSpecificCredentialId": credential.id,
        "UserName": user.name,
        "Status": "Active" if credential.active else "Inactive",
    }
