"""First start: accounts, their administrators, managed policies, the credentials file.

    started = await bootstrap(store, secrets, accounts=[Seed("111122223333", key_id, secret)], directory=data,
                              region="us-west-2", now=clock.now())

Nothing is changed by a later start, but for accounts that the configuration names anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from registry.core.ports import Store
from registry.identity.secrets import Secrets


@dataclass(frozen=True, slots=True)
class Seed:
    """An account to be there, and the access key its administrator begins with (made up when empty).

    For the first account the composition root passes PACKYARD_ADMIN_ACCESS_KEY_ID and PACKYARD_ADMIN_SECRET_ACCESS_KEY here.
    """

    account: str
    access_key_id: str = ""
    secret_access_key: str = ""


@dataclass(frozen=True, slots=True)
class Made:
    """An administrator's access key made by this start; shown nowhere but in the credentials file."""

    account: str
    access_key_id: str
    secret_access_key: str


async def bootstrap(
    store: Store, secrets: Secrets, *, accounts: Sequence[Seed], directory: Path | None, region: str, now: int
) -> list[Made]:
    """Make what is absent; return the keys that were made.  The first account's go to `directory`/credentials."""
    raise NotImplementedError
