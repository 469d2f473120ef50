"""What the commands do, and the lines that they print."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from registry.administration import work
from registry.administration.work import Desk


async def account_add(desk: Desk, options: argparse.Namespace) -> list[str]:
    profile = await work.add_account(desk, options.id)
    return [f"Account {options.id} is there; its administrator's key is in {desk.credentials} (profile {profile})"]


async def account_list(desk: Desk, options: argparse.Namespace) -> list[str]:
    return await desk.store.read(lambda tx: tx.identity.accounts())


async def user_add(desk: Desk, options: argparse.Namespace) -> list[str]:
    user = await work.add_user(
        desk, options.account, options.name, path=options.path, policies=options.policy, groups=options.group
    )
    key = [] if options.no_key else await user_key(desk, options)
    return [f"User {user.arn}", *key]


async def user_key(desk: Desk, options: argparse.Namespace) -> list[str]:
    id, secret = await work.add_key(desk, options.account, options.name)
    return [f"aws_access_key_id = {id}", f"aws_secret_access_key = {secret}"]


async def user_delete(desk: Desk, options: argparse.Namespace) -> list[str]:
    user = await work.delete_user(desk, options.account, options.name)
    return [f"User {user.arn} is deleted"]


async def user_list(desk: Desk, options: argparse.Namespace) -> list[str]:
    users = await work.users(desk, options.account)
    return [f"{user.name}\t{user.path}\t{user.id}\t{_day(user.created)}" for user in users]


async def token_create(desk: Desk, options: argparse.Namespace) -> list[str]:
    credential, text = await work.create_token(
        desk,
        options.account,
        options.name,
        days=options.days,
        domain=options.domain,
        owner=options.domain_owner,
        description=options.description,
    )
    until = f"until {_day(credential.expires)}" if credential.expires else "until it is revoked"
    return [f"Token {credential.id}, good {until}; it is not shown again:", text]


async def token_list(desk: Desk, options: argparse.Namespace) -> list[str]:
    lines = []
    for user, each in await work.tokens(desk, options.account):
        state = "active" if each.active else "inactive"
        until = _day(each.expires) if each.expires else "-"
        lines.append(f"{each.id}\t{user.name}\t{state}\t{_day(each.created)}\t{until}\t{each.description}")
    return lines


async def token_revoke(desk: Desk, options: argparse.Namespace) -> list[str]:
    await work.revoke_token(desk, options.id)
    return [f"Token {options.id} is revoked"]


def _day(time: int) -> str:
    return datetime.fromtimestamp(time / 1000, UTC).strftime("%Y-%m-%d")


Job = Callable[[Desk, argparse.Namespace], Awaitable[list[str]]]

JOBS: dict[str, Job] = {
    "account_add": account_add,
    "account_list": account_list,
    "user_add": user_add,
    "user_key": user_key,
    "user_delete": user_delete,
    "user_list": user_list,
    "token_create": token_create,
    "token_list": token_list,
    "token_revoke": token_revoke,
}
"""By the names that the parsers give."""
