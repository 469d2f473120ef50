"""What PostgreSQL's and asyncpg's errors mean: run it again, come again later, or a fault of ours."""

from __future__ import annotations

import asyncio
import logging

import asyncpg

from registry.core.errors import Conflict, InternalServer, RegistryError, Unavailable, Validation

log = logging.getLogger("packyard.storage")

FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
"""Every way in which the database or the road to it fails.  Not what is a unit of work's own."""

_AGAIN = {
    "40001",  # serialization_failure: somebody else committed what this one had read and wanted to change
    "40P01",  # deadlock_detected
    "23505",  # unique_violation: somebody else was first, and a second run will see it
    "23503",  # foreign_key_violation: what it refers to went meanwhile, and a second run will see that
}
_CONSTRAINTS = {"23505", "23503"}
_GONE = {"57P01", "57P02", "57P03", "57P05", "25P03"}
"""The server ends the session, or is just starting or stopping."""
_CANNOT_ANSWER = {
    "57014",  # query_canceled: statement_timeout, or an administrator
    "55P03",  # lock_not_available: lock_timeout
    "25006",  # read_only_sql_transaction: a standby, or a server that is short of disk
    "XX001",  # data_corrupted
    "XX002",  # index_corrupted
}
_CANNOT_ANSWER_CLASSES = {"08", "53", "58", "28", "3D"}
"""No connection; no memory, disk or connections left; I/O; a password or a database that is no longer right."""


def is_lost(error: BaseException) -> bool:
    """The connection is gone: nothing that was not committed has happened, and another one may do better."""
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        return state in _GONE or state.startswith("08") or getattr(error, "severity_en", None) in ("FATAL", "PANIC")
    if isinstance(error, ValueError):  # a value that asyncpg cannot send
        return False
    return isinstance(error, (asyncpg.InterfaceError, asyncpg.InternalClientError, ConnectionError, EOFError))


def is_again(error: BaseException) -> bool:
    """A second run of the unit of work may well succeed."""
    return isinstance(error, asyncpg.PostgresError) and error.sqlstate in _AGAIN


def is_refused(error: BaseException) -> bool:
    """The server itself says that the transaction was not committed, and that it will not be."""
    return isinstance(error, asyncpg.PostgresError) and not is_lost(error)


def translated(error: BaseException) -> RegistryError:
    """What a failure means to a caller once no further run is due.  Nothing of it was committed.

    The log keeps the original, which holds values at most: asyncpg's errors never name the password.
    """
    if is_again(error):
        log.warning("a unit of work lost against others on every run: %s", error)
        if error.sqlstate in _CONSTRAINTS:  # type: ignore[attr-defined]
            return Conflict("The same thing was changed at the same time; try again.")
        return Unavailable("Too much was changed at the same time; try again.", undone=True)
    if is_unavailable(error):
        log.error("the database cannot answer: %s", described(error))
        return Unavailable("The database cannot answer now; try again.", undone=True)
    if isinstance(error, asyncpg.CharacterNotInRepertoireError):
        return Validation("A text has a character that cannot be stored.")
    log.error("a statement failed", exc_info=error)
    return InternalServer("The request failed inside the registry.")


def is_unavailable(error: BaseException) -> bool:
    """The database cannot answer now, whatever it is asked."""
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        return is_lost(error) or state in _CANNOT_ANSWER or state[:2] in _CANNOT_ANSWER_CLASSES
    return is_lost(error) or isinstance(error, (OSError, TimeoutError, asyncio.TimeoutError))


def described(error: BaseException) -> str:
    """One line about a failure, for the log and for who starts the server."""
    text = " ".join(str(error).split())
    if isinstance(error, TimeoutError) and not text:
        text = "it took too long"
    return text or type(error).__name__
