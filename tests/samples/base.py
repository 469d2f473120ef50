"""What a format gives to the format suite (tests/contracts/formats.py): packages, and the requests of its clients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from tests.harness import Answer, Server, basic


@dataclass(frozen=True)
class Shop:
    """One repository's endpoint of one format, and the token to use there ("" for none)."""

    server: Server
    format: str
    repo: str
    domain: str = "dom"
    token: str | None = None

    @property
    def endpoint(self) -> str:
        return self.server.endpoint(self.format, self.repo, self.domain)

    def __call__(
        self,
        method: str,
        path: str,
        body: bytes | Iterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """A request below the endpoint, with the token as the password of Basic."""
        sent = dict(headers or {})
        token = self.server.token(self.domain) if self.token is None else self.token
        if token:
            sent.setdefault("Authorization", basic(token))
        return self.server.request(method, self.endpoint + path, body=body, headers=sent)


class Sample(Protocol):
    """Packages of one format.  Each is made of a `word` of lower-case letters that no other test uses.

    `connection`: the format's first built-in external connection, None where it has none.
    A sample whose attribute `idempotent` is False publishes in a protocol where the same bytes again are a conflict.
    `dependency`: the name of a package that every version depends on, as the API shows it; None where the
    format knows none.  `readme`: whether every version has a readme that holds the word.
    """

    format: str
    connection: str | None
    dependency: str | None
    readme: bool

    def coordinates(self, word: str) -> tuple[str | None, str]:
        """(namespace, package) as the API shows them."""

    def publish(self, shop: Shop, word: str, version: str = "1.0.0", *, marker: str = "") -> Answer:
        """Publish by the client's own requests; the first answer of 400 or more, else the last one.

        The same arguments give the same bytes, another `marker` gives the same version with other bytes.
        """

    def index(self, word: str) -> str:
        """The path, below the endpoint, of the document in which a client looks for versions."""

    def versions(self, answer: Answer, word: str) -> set[str]:
        """The versions that such a document offers for new installs (a yanked one is not offered)."""

    def asset(self, word: str, version: str = "1.0.0") -> tuple[str, str]:
        """(name as the API shows it, path below the endpoint) of the file that clients install."""
