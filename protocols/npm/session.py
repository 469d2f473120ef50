"""ping, whoami, login and logout, and the commands that this registry does not have.

Tokens come from GetAuthorizationToken.  `npm login` takes one as the password: the client first tries its web
flow, is told that there is none, and falls back to asking for a user name and a password.
"""

from __future__ import annotations

from protocols.npm import parse
from registry.core.errors import NotSupported, ResourceNotFound, Unauthenticated
from registry.core.types import PackageKey
from registry.core.view import RepoView
from registry.web import reply
from registry.web.adapter import Answer
from registry.web.request import Req

_NOT_SIGNED_OUT = "Forgotten here; the token itself stays valid until it expires"
_DRAIN = 16 * 1024**2


async def ping(req: Req, view: RepoView) -> Answer:
    """Guide: a way to verify the credentials and the ReadFromRepository permission."""
    await view.facts(PackageKey(view.info.name, None, "-"), "0.0.0")
    return reply.json({})


async def whoami(req: Req, view: RepoView) -> Answer:
    return reply.json({"username": view.caller.name})


async def user(req: Req, view: RepoView) -> Answer:
    """`GET -/user/org.couchdb.user:{name}`, which `npm owner` asks first.  Only one's own record is told."""
    name = req.path["user"].removeprefix("org.couchdb.user:")
    if name != view.caller.name:
        raise NotSupported("Other users are not supported by this repository: they are managed with IAM")
    return reply.json({"_id": f"org.couchdb.user:{name}", "name": name, "email": "", "type": "user", "roles": []})


async def token_in_body(req: Req) -> str:
    """The password of a login is the token.  An old token in the headers says nothing."""
    body = parse.small(await req.body(parse.MAX_SMALL))
    token = body.get("password") if isinstance(body, dict) else None
    if not isinstance(token, str) or not token.strip():
        raise Unauthenticated("Log in with an authorization token as the password")
    req.request.state.token = token.strip()
    return token.strip()


async def login(req: Req, view: RepoView) -> Answer:
    """`PUT -/user/org.couchdb.user:{name}`: the token was checked by now; the client keeps what comes back."""
    name = req.path["user"]
    return reply.json({"ok": True, "id": name, "rev": "1", "token": req.request.state.token}, status=201)


async def web_login(req: Req, view: RepoView) -> Answer:
    raise ResourceNotFound("There is no login page; log in with an authorization token as the password")


async def logout(req: Req, view: RepoView) -> Answer:
    """`DELETE -/user/token/{token}`.  The client forgets its token only when this succeeds."""
    return reply.json({"ok": True}, headers={"npm-notice": _NOT_SIGNED_OUT})


async def audit(req: Req, view: RepoView) -> Answer:
    """Every install asks this and waits for the answer.  404 is passed over; an empty list would say "no
    vulnerabilities" of packages that nobody looked at (RULINGS 7.4)."""
    seen = 0
    async for chunk in req.stream():
        seen += len(chunk)
        if seen > _DRAIN:
            break
    raise ResourceNotFound("This repository has no security advisories")


async def no_keys(req: Req, view: RepoView) -> Answer:
    """`GET -/npm/v1/keys`.  With keys, clients would report every unsigned package as tampered with."""
    raise ResourceNotFound("This repository has no signing keys")


async def unsupported(req: Req, view: RepoView) -> Answer:
    """Whatever else lies below `-/`: guide, "Unsupported commands".  Not 404, which some commands take for success."""
    raise NotSupported(f"{req.method} {req.rest[:200]} is not supported by this repository")
