"""A token and an endpoint from the server, asked for as any AWS client would."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from registry.core.errors import RegistryError

DEFAULT_SERVER = "http://127.0.0.1:8080"
DEFAULT_CREDENTIALS = Path("data/credentials")
DEFAULT_REGION = "us-west-2"


class LoginError(RegistryError):
    """The login could not be done; the message says why."""


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask for, of whom, as whom.  None: as the AWS settings say."""

    domain: str
    owner: str | None
    repository: str
    format: str
    seconds: int | None
    server: str | None
    profile: str | None


@dataclass(frozen=True, slots=True)
class Grant:
    """The repository's endpoint, ending in "/", and a token for it."""

    endpoint: str
    token: str = field(repr=False)
    expires: datetime

    @property
    def host(self) -> str:
        """Host name without a port."""
        return urlsplit(self.endpoint).hostname or ""

    @property
    def bare(self) -> str:
        """The endpoint without its scheme: `//host:port/path/`."""
        return self.endpoint.partition(":")[2]

    def with_token(self, path: str = "") -> str:
        """The address of something below the endpoint, with user information."""
        scheme, _, rest = self.endpoint.partition("://")
        return f"{scheme}://aws:{self.token}@{rest}{path}"


def ask(question: Question, environ: Mapping[str, str]) -> Grant:
    """Raises LoginError."""
    import botocore.exceptions

    try:
        client = _client(question, environ)
        where: dict[str, Any] = {"domain": question.domain}
        if question.owner:
            where["domainOwner"] = question.owner
        more = {} if question.seconds is None else {"durationSeconds": question.seconds}
        token = client.get_authorization_token(**where, **more)
        answer = client.get_repository_endpoint(**where, repository=question.repository, format=question.format)
    except botocore.exceptions.ClientError as err:
        raise LoginError(str(err.response["Error"].get("Message") or err)) from err
    except botocore.exceptions.BotoCoreError as err:
        raise LoginError(str(err)) from err
    return Grant(answer["repositoryEndpoint"], token["authorizationToken"], token["expiration"])


def _client(question: Question, environ: Mapping[str, str]) -> Any:
    import botocore.config
    import botocore.session

    os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")  # there is none; looking for it takes seconds
    session = botocore.session.Session(profile=question.profile)
    if question.profile is None and session.get_credentials() is None and DEFAULT_CREDENTIALS.exists():
        session = botocore.session.Session(profile="packyard")
        session.set_config_variable("credentials_file", str(DEFAULT_CREDENTIALS))
    region = session.get_config_variable("region") or DEFAULT_REGION

    def client(server: str | None, *, ignore: bool = False) -> Any:
        config = botocore.config.Config(retries={"max_attempts": 2}, ignore_configured_endpoint_urls=ignore)
        return session.create_client("codeartifact", region_name=region, endpoint_url=server, config=config)

    made = client(question.server)
    if question.server is None and made.meta.endpoint_url == client(None, ignore=True).meta.endpoint_url:
        return client(DEFAULT_SERVER)  # no setting names a server
    return made
