"""Access keys of users.  IAM API reference."""

from __future__ import annotations

from registry.control.iam import shapes
from registry.control.iam.call import Call, IamError, Params, Result, no_such, operation
from registry.core.iam import Key, Principal
from registry.core.ports import Tx
from registry.core.types import AccessKey
from registry.identity.bootstrap import access_key

KEYS_PER_USER = 2


async def owner(call: Call, tx: Tx, p: Params) -> Principal:
    """The user that the request names, or who asks."""
    name = p.get("UserName")
    if name is None and call.caller.kind != "User":
        raise IamError("ValidationError", "Must specify userName when calling with non-User credentials")
    return await call.entity(tx, "user", name or call.caller.name)


@operation("iam", "CreateAccessKey")
async def create_access_key(call: Call, p: Params) -> Result:
    """The only answer that ever holds the secret."""
    made, secret = access_key()
    sealed = call.tools.secrets.seal(secret.encode(), made)

    async def work(tx: Tx) -> Principal:
        user = await owner(call, tx, p)
        if len(await tx.principals.keys(user.id)) >= KEYS_PER_USER:
            raise IamError("LimitExceeded", f"Cannot exceed quota for AccessKeysPerUser: {KEYS_PER_USER}")
        await tx.identity.add_key(AccessKey(made, user.account, user.name, sealed, active=True), call.now)
        return user

    user = await call.write(work)
    shown = {**shapes.key(Key(made, True, call.now), user.name), "SecretAccessKey": secret}
    return {"AccessKey": shown}


@operation("iam", "ListAccessKeys")
async def list_access_keys(call: Call, p: Params) -> Result:
    async def work(tx: Tx) -> Result:
        user = await owner(call, tx, p)
        found = await tx.principals.keys(user.id)
        return call.cut("AccessKeyMetadata", found, lambda key: key.id, lambda key: shapes.key(key, user.name))

    return await call.read(work)


@operation("iam", "UpdateAccessKey")
async def update_access_key(call: Call, p: Params) -> Result:
    async def work(tx: Tx) -> None:
        user = await owner(call, tx, p)
        if not await tx.principals.set_key(user.id, p["AccessKeyId"], active=p["Status"] == "Active"):
            raise no_such_key(p["AccessKeyId"])

    if p["Status"] not in ("Active", "Inactive"):
        raise IamError("ValidationError", "Status must be Active or Inactive")
    await call.write(work)
    return {}


@operation("iam", "DeleteAccessKey")
async def delete_access_key(call: Call, p: Params) -> Result:
    async def work(tx: Tx) -> None:
        user = await owner(call, tx, p)
        if not await tx.principals.drop_key(user.id, p["AccessKeyId"]):
            raise no_such_key(p["AccessKeyId"])

    await call.write(work)
    return {}


@operation("iam", "GetAccessKeyLastUsed")
async def get_access_key_last_used(call: Call, p: Params) -> Result:
    """Noted about every quarter of an hour."""

    async def work(tx: Tx) -> Result:
        id = await tx.principals.key_owner(p["AccessKeyId"])
        user = await tx.principals.get(id) if id is not None else None
        if user is None or user.account != call.account:
            await call.require(tx, "*")
            raise no_such_key(p["AccessKeyId"])
        await call.require(tx, user.arn, tags=await tx.principals.tags(user.id))
        key = next(key for key in await tx.principals.keys(user.id) if key.id == p["AccessKeyId"])
        used = {"ServiceName": key.used_service or "N/A", "Region": key.used_region or "N/A"}
        return {"UserName": user.name, "AccessKeyLastUsed": {"LastUsedDate": key.used or None, **used}}

    return await call.read(work)


def no_such_key(id: str) -> IamError:
    return no_such("Access Key", id)
