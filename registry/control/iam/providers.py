"""OpenID Connect providers.  IAM API reference: CreateOpenIDConnectProvider and its like.

Thumbprints are kept and shown, and not used: certificates are judged by the authorities of the machine.
An issuer at a plain http address is taken on this machine only.
"""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from urllib.parse import urlsplit

from registry.control.iam import shapes
from registry.control.iam.call import Call, IamError, Params, Result, operation
from registry.core.iam import Provider
from registry.core.ports import Tx

CLIENTS = 100
PROVIDERS = 100


def arn_of(account: str, url: str) -> str:
    return f"arn:aws:iam::{account}:oidc-provider/{url.split('://', 1)[1].rstrip('/')}"


def _address(url: str) -> str:
    """Raises IamError (InvalidInput) for what is no issuer's address."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.query or parts.fragment or parts.username or not url.isascii() or not url.isprintable():
        raise IamError("InvalidInput", f"Invalid Open ID Connect Provider URL: {url}")
    if parts.scheme != "https" and not (parts.scheme == "http" and _here(host)):
        raise IamError("InvalidInput", "The URL of an Open ID Connect Provider must begin with https://")
    return url.rstrip("/")


def _here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@operation("iam", "CreateOpenIDConnectProvider")
async def create_provider(call: Call, p: Params) -> Result:
    url, given = _address(p["Url"]), shapes.given_tags(p.get("Tags"))
    clients = tuple(dict.fromkeys(p.get("ClientIDList", ())))
    made = Provider(arn_of(call.account, url), call.account, url, clients, tuple(p.get("ThumbprintList", ())), call.now)

    async def work(tx: Tx) -> None:
        await call.require(tx, made.arn, context=shapes.tag_context(given))
        if len(await tx.logins.providers(call.account)) >= PROVIDERS:
            raise IamError("LimitExceeded", f"Cannot exceed quota for OpenIdConnectProvidersPerAccount: {PROVIDERS}")
        if not await tx.logins.add_provider(made):
            raise IamError("EntityAlreadyExists", f"Provider with url {url} already exists.")
        await tx.principals.set_tags(made.arn, given)

    await call.write(work)
    return {"OpenIDConnectProviderArn": made.arn, "Tags": shapes.tags(given) if given else None}


async def _named(call: Call, tx: Tx, p: Params) -> Provider:
    arn = p["OpenIDConnectProviderArn"]
    await call.require(tx, arn, tags=await tx.principals.tags(arn))
    found = await tx.logins.provider(arn)
    if found is None or found.account != call.account:
        raise IamError("NoSuchEntity", f"OpenIDConnect Provider not found for arn {arn}")
    return found


@operation("iam", "GetOpenIDConnectProvider")
async def get_provider(call: Call, p: Params) -> Result:
    async def work(tx: Tx) -> Result:
        found = await _named(call, tx, p)
        tags = await tx.principals.tags(found.arn)
        return {
            "Url": found.url.split("://", 1)[1],
            "ClientIDList": list(found.clients),
            "ThumbprintList": list(found.thumbprints),
            "CreateDate": found.created,
            "Tags": shapes.tags(tags) if tags else None,
        }

    return await call.read(work)


@operation("iam", "ListOpenIDConnectProviders")
async def list_providers(call: Call, p: Params) -> Result:
    async def work(tx: Tx) -> Result:
        await call.require(tx, f"arn:aws:iam::{call.account}:oidc-provider/*")
        return {"OpenIDConnectProviderList": [{"Arn": each.arn} for each in await tx.logins.providers(call.account)]}

    return await call.read(work)


@operation("iam", "DeleteOpenIDConnectProvider")
async def delete_provider(call: Call, p: Params) -> Result:
    async def work(tx: Tx) -> None:
        arn = p["OpenIDConnectProviderArn"]
        await call.require(tx, arn, tags=await tx.principals.tags(arn))
        found = await tx.logins.provider(arn)
        if found is not None and found.account == call.account:  # idempotent, as the reference says
            await tx.logins.drop_provider(arn)

    await call.write(work)
    return {}


@operation("iam", "AddClientIDToOpenIDConnectProvider")
async def add_client(call: Call, p: Params) -> Result:
    async def work(tx: Tx) -> None:
        found = await _named(call, tx, p)
        clients = tuple(dict.fromkeys((*found.clients, p["ClientID"])))
        if len(clients) > CLIENTS:
            raise IamError("LimitExceeded", f"Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: {CLIENTS}")
        await tx.logins.change_provider(replace(found, clients=clients))

    await call.write(work)
    return {}


@operation("iam", "RemoveClientIDFromOpenIDConnectProvider")
async def remove_client(call: Call, p: Params) -> Result:
    async def work(tx: Tx) -> None:
        found = await _named(call, tx, p)
        clients = tuple(each for each in found.clients if each != p["ClientID"])
        await tx.logins.change_provider(replace(found, clients=clients))

    await call.write(work)
    return {}


@operation("iam", "UpdateOpenIDConnectProviderThumbprint")
async def update_thumbprint(call: Call, p: Params) -> Result:
    async def work(tx: Tx) -> None:
        found = await _named(call, tx, p)
        await tx.logins.change_provider(replace(found, thumbprints=tuple(p["ThumbprintList"])))

    await call.write(work)
    return {}
