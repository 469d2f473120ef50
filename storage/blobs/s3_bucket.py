"""A bucket: connections, credentials, retries, and what its errors mean.

Two ways lead to it.  Commands (list, delete, head, the ends of a multipart upload) go through aioboto3's client.
Bodies go to addresses that this client signs (SigV4 in the query), over one pool of plain HTTP connections: the
client's own machinery costs ten times the CPU per request, hashes what it signs in the event loop, and cannot go on
with a read from where it stopped.  Endpoint, region, credentials, profile, proxies and certificates are found as
boto3 finds them.
"""

from __future__ import annotations

import asyncio
import io
import logging
import random
import ssl
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

import aioboto3
import aiohttp
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from botocore.loaders import Loader, create_loader
from botocore.utils import get_environ_proxies
from lxml import etree
from yarl import URL

from registry.core.errors import Unavailable

log = logging.getLogger(__name__)

T = TypeVar("T")

SIGNED_FOR = 3600
"""Seconds for which an address that we use ourselves is signed."""
_KEPT_FOR = 900.0
"""Seconds for which such an address is used again: temporary credentials live on for at least that long."""
_KEPT = 4096
_LONGEST_ERROR = 16_384
_PASSING = frozenset({429, 500, 502, 503, 504})
_PAUSE = 0.1
_LONGEST_PAUSE = 5.0


@dataclass(frozen=True, slots=True)
class S3Settings:
    """Which bucket, and how it is talked to.  Empty: as boto3 finds it.  Times in seconds."""

    bucket: str
    prefix: str = ""
    endpoint_url: str = ""
    region: str = ""
    addressing: str = ""
    sse: str = ""
    sse_kms_key: str = ""
    redirect_seconds: int = 0
    connect_timeout: int = 5
    read_timeout: int = 15
    attempts: int = 3
    connections: int = 64
    part_bytes: int = 8 * 1024 * 1024
    """Larger files are uploaded in parts of this size."""
    slowest: int = 64 * 1024
    """Bytes a second below which an upload is given up, besides the other times."""
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    """`aws_access_key_id`, ... for tests; empty: as boto3 finds them."""

    @property
    def encryption(self) -> dict[str, str]:
        """What a new object is told of encryption."""
        wanted = {"ServerSideEncryption": self.sse} if self.sse else {}
        return {**wanted, **({"SSEKMSKeyId": self.sse_kms_key} if self.sse_kms_key else {})}

    @property
    def encryption_headers(self) -> dict[str, str]:
        """The same, as headers."""
        wanted = {"x-amz-server-side-encryption": self.sse} if self.sse else {}
        key = self.sse_kms_key
        return {**wanted, **({"x-amz-server-side-encryption-aws-kms-key-id": key} if key else {})}


class Answered(Exception):
    """The bucket answered with an error."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(f"{status} {code}".strip())
        self.status = status
        self.code = code

    @property
    def passing(self) -> bool:
        """Worth another try."""
        return self.status in _PASSING or self.code in ("SlowDown", "RequestTimeout", "InternalError")


class CutShort(Exception):
    """A body ended before its length was reached."""


def passing(error: BaseException) -> bool:
    """Whether trying again may help."""
    if isinstance(error, Answered):
        return error.passing
    return isinstance(error, (CutShort, aiohttp.ClientError, TimeoutError, ConnectionError, OSError))


class Bucket:
    """One bucket of one server.  `open` asks nothing, so that a server starts while its bucket is away."""

    client: Any

    def __init__(self, settings: S3Settings) -> None:
        self.settings = settings
        self.conditional = True
        """Whether the server knows `If-None-Match` on uploads; until it says that it does not."""
        self._stack = AsyncExitStack()
        self._session: aiohttp.ClientSession
        self._proxy: str | None = None
        self._addresses: OrderedDict[str, tuple[URL, float]] = OrderedDict()

    async def open(self) -> None:
        """Raises Unavailable when the settings are of no use (no region for a bucket that needs one, ...)."""
        try:
            session = await self._connected(self._config(self.settings.addressing))
        except (BotoCoreError, ValueError) as error:
            raise Unavailable(f"The bucket cannot be set up: {error}") from error
        self._proxy = await asyncio.to_thread(_proxy_to, self.client.meta.endpoint_url)
        self._session = await self._stack.enter_async_context(await self._http(session))

    async def close(self) -> None:
        await self._stack.aclose()

    def _config(self, addressing: str) -> AioConfig:
        settings = self.settings
        options: dict[str, Any] = {"s3": {"addressing_style": addressing}} if addressing else {}
        return AioConfig(
            signature_version="s3v4",
            connect_timeout=settings.connect_timeout,
            read_timeout=settings.read_timeout,
            max_pool_connections=settings.connections,
            retries={"mode": "standard", "total_max_attempts": settings.attempts},
            request_checksum_calculation="when_required",  # many servers know no other; bodies carry their MD5
            response_checksum_validation="when_required",
            **options,
        )

    async def _connected(self, config: AioConfig) -> Any:
        """Make the client.  It reads models, profiles and certificates from disk, before anything is served."""
        settings = self.settings
        core = get_session()
        core.register_component("data_loader", _loader())
        session = aioboto3.Session(botocore_session=core, **settings.credentials)
        if await core.get_credentials() is None:
            raise NoCredentialsError()

        def client(config: AioConfig) -> Any:
            return session.client(
                "s3",
                endpoint_url=settings.endpoint_url or None,
                region_name=settings.region or session.region_name or "us-east-1",
                config=config,
            )

        if not settings.addressing and not core.get_scoped_config().get("s3"):
            async with client(config) as found:  # `http://bucket-service:9000`: nobody has a name below that one
                if "." not in (URL(found.meta.endpoint_url).host or "."):
                    config = self._config("path")
        self.client = await self._stack.enter_async_context(client(config))
        return core

    async def _http(self, session: Any) -> aiohttp.ClientSession:
        settings = self.settings
        bundle = session.get_config_variable("ca_bundle")  # AWS_CA_BUNDLE, or the profile's
        trust = await asyncio.to_thread(ssl.create_default_context, cafile=bundle) if bundle else True
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=settings.connections, ssl=trust, keepalive_timeout=30),
            timeout=aiohttp.ClientTimeout(
                total=None,
                connect=settings.connect_timeout + settings.read_timeout,  # with the wait for a free connection
                sock_connect=settings.connect_timeout,
                sock_read=settings.read_timeout,
            ),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("Accept-Encoding", "Content-Type", "User-Agent"),
        )

    # --- commands -----------------------------------------------------------------------------

    async def command(self, name: str, **parameters: Any) -> Any:
        """An operation of the client, which retries by itself.  Raises Answered, Unavailable."""
        try:
            return await getattr(self.client, name)(Bucket=self.settings.bucket, **parameters)
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            raise Answered(status, error.response.get("Error", {}).get("Code", "")) from error
        except (BotoCoreError, aiohttp.ClientError, OSError, TimeoutError) as error:
            raise unavailable(error) from error

    # --- bodies -------------------------------------------------------------------------------

    async def address(self, operation: str, **parameters: Any) -> URL:
        """A signed address for one use of ours.  Raises Unavailable when there are no credentials."""
        return await self._signed(operation, SIGNED_FOR, **parameters)

    async def link(self, key: str, seconds: int, **parameters: Any) -> str:
        """A signed address for a client.  Raises Unavailable."""
        return str(await self._signed("get_object", seconds, Key=key, **parameters))

    async def download(self, key: str, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        """An answer that has begun, to be closed by the caller.  Raises Answered, and what the network raises."""
        try:
            return await self._asked("GET", await self._address_of(key), headers)
        except Answered as error:
            if error.status in (400, 401, 403):  # signed with credentials that are gone
                self._addresses.pop(key, None)
            raise

    async def upload(self, address: URL, body: bytes, headers: Mapping[str, str]) -> Mapping[str, str]:
        """Headers of the answer.  Raises Answered, and what the network raises."""
        settings = self.settings
        patience = settings.connect_timeout + settings.read_timeout
        async with asyncio.timeout(2 * patience + len(body) / settings.slowest):
            reply = await self._asked("PUT", address, headers, io.BytesIO(body))
            async with reply:
                await reply.read()
                return {name.lower(): value for name, value in reply.headers.items()}

    async def probe(self) -> None:
        """One question without retries.  Raises Unavailable."""
        try:
            reply = await self._asked("HEAD", await self.address("head_bucket"), {})
            reply.release()
        except Exception as error:
            raise unavailable(error) from error

    async def retried(self, work: Callable[[int], Awaitable[T]]) -> T:
        """`work(attempt)` until it succeeds, with back-off.  Raises Unavailable; other answers as they are."""
        attempt = 0
        while True:
            try:
                return await work(attempt)
            except Exception as error:
                attempt += 1
                if not passing(error):
                    raise
                if attempt >= self.settings.attempts:
                    raise unavailable(error) from error
            await pause(attempt)

    async def _asked(
        self, method: str, address: URL, headers: Mapping[str, str], body: Any = None
    ) -> aiohttp.ClientResponse:
        reply = await self._session.request(
            method, address, data=body, headers=headers, allow_redirects=False, proxy=self._proxy
        )
        if reply.status < 300:
            return reply
        async with reply:
            code = "" if method == "HEAD" else _code(await reply.content.read(_LONGEST_ERROR))
            reply.close()
        raise Answered(reply.status, code)

    async def _address_of(self, key: str) -> URL:
        """For reading; signing costs more than all the rest of a small read."""
        now = time.monotonic()
        known = self._addresses.get(key)
        if known is not None and now < known[1]:
            return known[0]
        address = await self.address("get_object", Key=key)
        self._addresses[key] = (address, now + _KEPT_FOR)
        self._addresses.move_to_end(key)
        if len(self._addresses) > _KEPT:
            self._addresses.popitem(last=False)
        return address

    async def _signed(self, operation: str, seconds: int, **parameters: Any) -> URL:
        try:
            text = await self.client.generate_presigned_url(
                operation, Params={"Bucket": self.settings.bucket, **parameters}, ExpiresIn=seconds
            )
        except (BotoCoreError, ClientError) as error:
            raise unavailable(error) from error
        return URL(text, encoded=True)


def unavailable(error: BaseException) -> Unavailable:
    """What the client is told; the log says what the bucket said."""
    if isinstance(error, Unavailable):
        return error
    said = f"{type(error).__name__}: {error}".partition("?")[0]  # no signature in a log
    log.warning("The bucket cannot be used: %s", said)
    return Unavailable("The stored files cannot be used now.", retry_after=5)


async def pause(attempt: int) -> None:
    """Back off: twice as long each time, and never all at the same moment."""
    await asyncio.sleep(min(_LONGEST_PAUSE, _PAUSE * 2**attempt) * random.uniform(0.5, 1.0))  # noqa: S311


def _proxy_to(address: str) -> str | None:
    """HTTPS_PROXY, HTTP_PROXY and NO_PROXY, asked once: aiohttp would ask in a thread for every request."""
    found: str | None = get_environ_proxies(address).get(address.partition("://")[0])
    return found


@cache
def _loader() -> Loader:
    """The service models, parsed once in a process."""
    return create_loader()


def _code(body: bytes) -> str:
    """The code in an error document; it is only compared and logged."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        found = etree.fromstring(body, parser).findtext("{*}Code")
    except etree.XMLSyntaxError:
        return ""
    return (found or "")[:100]


@asynccontextmanager
async def closing(reply: aiohttp.ClientResponse) -> AsyncIterator[aiohttp.ClientResponse]:
    """Its connection is used again only when the body was read to its end."""
    try:
        yield reply
    finally:
        if reply.content.at_eof():
            reply.release()
        else:
            reply.close()
