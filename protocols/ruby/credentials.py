"""The key of `gem push`: whatever the user has configured, sent as it is."""

from __future__ import annotations

import base64
import binascii

from registry.core.errors import Unauthenticated
from registry.web.request import Req


async def key(req: Req) -> str:
    """The token of a request that changes something.

    With user information in the host, gem sends `Basic ..., KEY`: two credentials in one header.  What stands in the
    address was meant for it; the key may be a word that only silences gem.  Raises Unauthenticated.
    """
    header = req.headers.get("authorization", "").strip()
    if not header:
        raise Unauthenticated("This repository needs an authorization token")
    found = [token for each in header.split(",") if (token := _token(each.strip()))]
    if not found:
        raise Unauthenticated("The Authorization header holds no credentials")
    return found[0]


def _token(credentials: str) -> str:
    scheme, _, rest = credentials.partition(" ")
    rest = rest.strip()
    if scheme.lower() == "bearer":
        return rest
    if scheme.lower() != "basic":
        return "" if rest else scheme
    try:
        plain = base64.b64decode(rest + "=" * (-len(rest) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
    return plain.partition(":")[2].strip()
