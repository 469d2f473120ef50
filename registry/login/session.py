"""A token and an endpoint from the server, asked for as any AWS client would."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from registry.login.errors import LoginError

DEFAULT_SERVER = "http://127.0.0.1:8080"
DEFAULT_CREDENTIALS = Path("data/credentials")
DEFAULT_PROFILE = "packyard"
DEFAULT_REGION = "us-west-2"
_PLAIN = re.compile(r"[A-Za-z0-9._~+/=-]+")
_ADDRESS = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+/[A-Za-z0-9._~%/-]*")


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask for, of whom, as whom.  None: as the AWS settings say."""

    domain: str
    repository: str
    format: str
    owner: str | None = None
    seconds: int | None = None
    server: str | None = None
    profile: str | None = None
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """The repository's endpoint, ending in "/", and a token for it.

    Both go into files of many syntaxes, so neither has a character that means something in one of them.
    """

    endpoint: str
    token: str = field(repr=False)
    expires: datetime

    def __post_init__(self) -> None:
        if not self.endpoint.endswith("/"):
            object.__setattr__(self, "endpoint", f"{self.endpoint}/")
        if not _ADDRESS.fullmatch(self.endpoint):
            raise LoginError(f"The server's endpoint cannot be used: {self.endpoint!r}")
        if not _PLAIN.fullmatch(self.token):
            raise LoginError("The server's token has characters that settings files cannot hold")

    @property
    def secure(self) -> bool:
        return self.endpoint.startswith("https:")

    @property
    def host(self) -> str:
        """Host name without a port."""
        return urlsplit(self.endpoint).hostname or ""

    @property
    def netloc(self) -> str:
        """Host name, and the port if one is given."""
        return urlsplit(self.endpoint).netloc

    @property
    def bare(self) -> str:
        """The endpoint without its scheme: `//host:port/path/`."""
        return self.endpoint.partition(":")[2]

    def with_token(self, path: str = "") -> str:
        """The address of something below the endpoint, with user information."""
        scheme, _, rest = self.endpoint.partition("://")
        return f"{scheme}://aws:{quote(self.token, safe='')}@{rest}{path}"


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
    except botocore.exceptions.NoCredentialsError as err:
        raise LoginError(
            f"No AWS credentials were found: set AWS_PROFILE or AWS_ACCESS_KEY_ID, or run this where "
            f"{DEFAULT_CREDENTIALS} is"
        ) from err
    except (botocore.exceptions.BotoCoreError, ValueError) as err:
        raise LoginError(str(err)) from err
    return Grant(answer["repositoryEndpoint"], token["authorizationToken"], token["expiration"])


def _client(question: Question, environ: Mapping[str, str]) -> Any:
    return connect("codeartifact", environ, server=question.server, profile=question.profile, region=question.region)


def connect(
    service: str,
    environ: Mapping[str, str],
    *,
    server: str | None = None,
    profile: str | None = None,
    region: str | None = None,
) -> Any:
    """A client of the server that the AWS settings name, else of the one that `packyard serve` starts here.

    Credentials are looked for as every AWS tool does; the ones of a server in this directory stand in for none.
    """
    import botocore.config
    import botocore.session

    os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")  # there is none; looking for it takes seconds
    session = botocore.session.Session(profile=profile)
    chosen = profile or environ.get("AWS_PROFILE") or environ.get("AWS_DEFAULT_PROFILE")
    if not chosen and session.get_credentials() is None and DEFAULT_CREDENTIALS.exists():
        session = botocore.session.Session(profile=DEFAULT_PROFILE)
        session.set_config_variable("credentials_file", str(DEFAULT_CREDENTIALS))
    region = region or session.get_config_variable("region") or environ.get("AWS_REGION") or DEFAULT_REGION

    def client(address: str | None, *, ignore: bool = False) -> Any:
        config = botocore.config.Config(
            retries={"max_attempts": 2}, connect_timeout=10, read_timeout=30, ignore_configured_endpoint_urls=ignore
        )
        return session.create_client(service, region_name=region, endpoint_url=address, config=config)

    made = client(server)
    if server is None and made.meta.endpoint_url == client(None, ignore=True).meta.endpoint_url:
        return client(DEFAULT_SERVER)  # no setting names a server
    return made
