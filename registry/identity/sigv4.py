"""Verify AWS Signature Version 4 of a raw request, in the header or in the query.  No I/O, no clock.

    claim = parse(method, raw_path, raw_query, headers, services=("codeartifact",), now=now)
    ... look up claim.access_key_id (registry.identity.callers.by_key) ...
    check(claim, secret, body_sha256=hex digest of the body)

`check` compares the body's digest with the claimed one, when there is a claim.  For a streamed body pass
body_sha256=None and compare the digest with `claim.payload` when the body has arrived; `claim.payload` is
never None then, or `check` refuses.

Every failure is a SignatureError with the service's error `code` and HTTP `status`.

Source: IAM User Guide, "Create a signed AWS API request"; what the SDKs really send decides where it is vague.
The path and the query are taken as they came over the wire: a literal "+" is a plus sign, and the path is encoded
once more, as for every service but S3.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import quote, unquote_to_bytes

from registry.core.errors import Unauthenticated

ALGORITHM = "AWS4-HMAC-SHA256"
SKEW = timedelta(minutes=5)
LONGEST = 7 * 24 * 3600

_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
)


class SignatureError(Unauthenticated):
    """The request is not signed as it should be."""

    def __init__(self, code: str, message: str, *, status: int = 403) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request says of its signature, well formed but not checked.

    `payload` is the claimed SHA-256 of the body (x-amz-content-sha256) as it was sent, None when the request makes no
    claim.  `heads` are the canonical request up to the payload, in each spelling of the query that clients sign.
    """

    access_key_id: str
    date: str
    region: str
    service: str
    timestamp: str
    signed_headers: tuple[str, ...]
    signature: str
    presigned: bool
    payload: str | None
    session_token: str = field(repr=False)
    heads: tuple[str, ...] = field(repr=False)


def attempted(headers: Iterable[tuple[bytes, bytes]], raw_query: bytes) -> bool:
    """Does the request claim a signature at all, in any form?"""
    return any(name.lower() == b"authorization" for name, _ in headers) or any(
        name in _QUERY for name, _ in _pairs(raw_query)
    )


def parse(
    method: str,
    raw_path: bytes,
    raw_query: bytes,
    headers: Iterable[tuple[bytes, bytes]],
    *,
    services: tuple[str, ...] = ("codeartifact",),
    now: int,
) -> Claim:
    """Read the claim; refuse what is missing, malformed, expired, or for another service.  `now` in milliseconds."""
    fields = _fields(headers)
    pairs = _pairs(raw_query)
    presigned, given = _given(fields, pairs)
    session_token = _session(fields, pairs)
    access_key_id, date, region, service = _credential(given["Credential"], services)
    timestamp, moment = _timestamp(fields, given, presigned=presigned)
    if timestamp[:8] != date:
        raise _invalid(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{date}' != '{timestamp[:8]}', from '{timestamp}'."
        )
    _in_time(moment, datetime.fromtimestamp(now / 1000, UTC), _lifetime(given) if presigned else None)
    signed = _signed_headers(given["SignedHeaders"], fields)
    payload = _payload(fields)
    if presigned:
        pairs = [pair for pair in pairs if pair[0] != b"X-Amz-Signature"]
    before = f"{method.upper()}\n{_path(raw_path)}\n"
    after = "\n" + "".join(f"{name}:{_value(fields[name])}\n" for name in sorted(signed)) + f"\n{';'.join(signed)}\n"
    return Claim(
        access_key_id=access_key_id,
        date=date,
        region=region,
        service=service,
        timestamp=timestamp,
        signed_headers=signed,
        signature=given["Signature"],
        presigned=presigned,
        payload=payload,
        session_token=session_token,
        heads=tuple(f"{before}{query}{after}" for query in _queries(pairs)),
    )


def check(claim: Claim, secret: str, *, body_sha256: str | None) -> None:
    """Refuse a signature that this secret did not make, and a body other than the claimed one."""
    payload = claim.payload if claim.payload is not None else body_sha256
    if payload is None:
        raise _invalid("A streamed body needs its SHA-256 in the x-amz-content-sha256 header, and that header signed.")
    key = f"AWS4{secret}".encode()
    for part in (claim.date, claim.region, claim.service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    scope = f"{claim.date}/{claim.region}/{claim.service}/aws4_request"
    good = False
    for head in claim.heads:
        digest = hashlib.sha256(f"{head}{payload}".encode("utf-8", "surrogateescape")).hexdigest()
        text = f"{ALGORITHM}\n{claim.timestamp}\n{scope}\n{digest}"
        made = hmac.digest(key, text.encode(), "sha256").hex()
        good |= hmac.compare_digest(made.encode(), claim.signature.encode("utf-8", "surrogateescape"))
    if not good:
        raise _invalid(_MISMATCH)
    if body_sha256 is not None and not hmac.compare_digest(payload.lower().encode(), body_sha256.lower().encode()):
        raise _invalid("The value of x-amz-content-sha256 does not match the SHA-256 of the body.")


# --- where the claim stands --------------------------------------------------------------------------------------

Fields = Mapping[str, Sequence[str]]
Pairs = list[tuple[bytes, bytes]]

_PARTS = ("Credential", "SignedHeaders", "Signature")


def _fields(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for name, value in headers:
        fields.setdefault(name.decode("latin-1").lower(), []).append(_text(value))
    return fields


def _text(value: bytes) -> str:
    """Clients sign the UTF-8 form; some send that, some Latin-1."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _pairs(raw_query: bytes) -> Pairs:
    parts = [part.partition(b"=") for part in raw_query.split(b"&")] if raw_query else []
    return [(name, value) for name, _, value in parts]


def _given(fields: Fields, pairs: Pairs) -> tuple[bool, dict[str, str]]:
    """(presigned, the parts of the claim) from the header or from the query."""
    header = fields.get("authorization", [])
    in_query = [(name, value) for name, value in pairs if name in _QUERY]
    if header and in_query:
        raise _incomplete("A request must be signed in its Authorization header or in its query, not in both.")
    if header:
        return False, _from_header(header)
    if any(name in (b"X-Amz-Algorithm", b"X-Amz-Signature", b"X-Amz-Credential") for name, _ in in_query):
        return True, _from_query(in_query)
    raise SignatureError("MissingAuthenticationTokenException", "Missing Authentication Token")


def _from_header(values: Sequence[str]) -> dict[str, str]:
    if len(values) > 1:
        raise _incomplete("A request must have one Authorization header.")
    algorithm, _, rest = values[0].strip().partition(" ")
    if algorithm != ALGORITHM:
        # What follows an unknown scheme, or stands without one, may be a secret, so it is not shown.
        raise _incomplete(f"Unsupported AWS 'algorithm': '{algorithm[:40] if rest else ''}'.")
    given: dict[str, str] = {}
    for part in rest.split(",") if rest else ():
        name, equals, value = part.strip().partition("=")
        if not equals or name in given:
            raise _incomplete("The Authorization header is not a list of NAME=VALUE, each once.")
        given[name] = value.strip()
    _complete([f"Authorization header requires '{name}' parameter." for name in _PARTS if not given.get(name)])
    return given


_QUERY = {
    b"X-Amz-Algorithm": "Algorithm",
    b"X-Amz-Credential": "Credential",
    b"X-Amz-Date": "Date",
    b"X-Amz-Expires": "Expires",
    b"X-Amz-SignedHeaders": "SignedHeaders",
    b"X-Amz-Signature": "Signature",
}


def _from_query(pairs: Pairs) -> dict[str, str]:
    given: dict[str, str] = {}
    for name, value in pairs:
        if _QUERY[name] in given:
            raise _incomplete(f"The query parameter {name.decode()} is given twice.")
        given[_QUERY[name]] = unquote_to_bytes(value).decode("utf-8", "replace")
    needed = ("Algorithm", *_PARTS, "Date")
    _complete([f"AWS query-string parameters must include 'X-Amz-{n}'." for n in needed if not given.get(n)])
    if given["Algorithm"] != ALGORITHM:
        raise _incomplete(f"Unsupported AWS 'algorithm': '{given['Algorithm'][:40]}'.")
    return given


def _complete(missing: list[str]) -> None:
    if missing:
        raise _incomplete(" ".join(missing))


def _session(fields: Fields, pairs: Pairs) -> str:
    """The session token that goes with temporary credentials, in the header or (presigned) in the query; else ""."""
    given = [*fields.get("x-amz-security-token", ())]
    given += [
        unquote_to_bytes(value).decode("utf-8", "replace") for name, value in pairs if name == b"X-Amz-Security-Token"
    ]
    if len(given) > 1:
        raise _incomplete("A request must have one session token.")
    return given[0].strip() if given else ""


# --- its parts ---------------------------------------------------------------------------------------------------


def _credential(text: str, services: tuple[str, ...]) -> tuple[str, str, str, str]:
    parts = text.split("/")
    if len(parts) != 5 or not all(parts):
        raise _incomplete(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
            f"got '{text[:200]}'"
        )
    access_key_id, date, region, service, term = parts
    if term != "aws4_request":
        raise _invalid(f"Credential should be scoped with a valid terminator: 'aws4_request', not '{term[:40]}'.")
    if service not in services:
        raise _invalid(f"Credential should be scoped to correct service: '{services[0]}'.")
    return access_key_id, date, region, service


def _timestamp(fields: Fields, given: Mapping[str, str], *, presigned: bool) -> tuple[str, datetime]:
    if presigned:
        values: Sequence[str] = [given["Date"]]
    else:
        values = fields.get("x-amz-date") or fields.get("date") or []
    if not values:
        raise _incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    text = values[0].strip()
    if len(values) == 1:
        moment = _moment(text)
        if moment is not None:
            return moment.strftime("%Y%m%dT%H%M%SZ"), moment
    raise _incomplete(f"Date must be in ISO-8601 'basic format'. Got '{text[:80]}'.")


_BASIC = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})Z")


def _moment(text: str) -> datetime | None:
    try:
        if basic := _BASIC.fullmatch(text):
            year, month, day, hour, minute, second = map(int, basic.groups())
            return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        moment = parsedate_to_datetime(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _lifetime(given: Mapping[str, str]) -> timedelta:
    text = given.get("Expires", "300")
    if not re.fullmatch(r"[0-9]{1,9}", text) or not 1 <= int(text) <= LONGEST:
        raise _incomplete(f"X-Amz-Expires must be a number of seconds from 1 to {LONGEST}, not '{text[:40]}'.")
    return timedelta(seconds=int(text))


def _in_time(moment: datetime, now: datetime, lifetime: timedelta | None) -> None:
    form = "%Y%m%dT%H%M%SZ"
    signed, today = moment.strftime(form), now.strftime(form)
    if moment - now > SKEW:
        late = (now + SKEW).strftime(form)
        raise _invalid(f"Signature not yet current: {signed} is still later than {late} ({today} + 5 min.)")
    if lifetime is None and now - moment > SKEW:
        early = (now - SKEW).strftime(form)
        raise _invalid(f"Signature expired: {signed} is now earlier than {early} ({today} - 5 min.)")
    if lifetime is not None and now - moment > lifetime:
        end = (moment + lifetime).strftime(form)
        raise _invalid(f"Signature expired: {end} is now earlier than {today}")


def _signed_headers(text: str, fields: Fields) -> tuple[str, ...]:
    names = tuple(text.split(";"))
    if any(name != name.lower() or not name for name in names) or len(set(names)) != len(names):
        raise _invalid("SignedHeaders must be names in lower case, each once.")
    if "host" not in names:
        raise _invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    if absent := [name for name in names if name not in fields]:
        raise _invalid(f"Signed headers are not in the request: {', '.join(absent)[:200]}")
    if loose := [name for name in fields if name.startswith("x-amz-") and name not in names]:
        raise _invalid(f"There were headers present in the request which were not signed: {', '.join(loose)[:200]}")
    return names


def _payload(fields: Fields) -> str | None:
    values = fields.get("x-amz-content-sha256")
    if values is None:
        return None
    value = _value(values)
    if value == "UNSIGNED-PAYLOAD" or value.startswith("STREAMING-"):
        raise _invalid(f"x-amz-content-sha256 must be the SHA-256 of the body; {value[:60]} is not accepted here.")
    return value


# --- the canonical request ---------------------------------------------------------------------------------------


def _path(raw: bytes) -> str:
    """Without dot segments and empty segments, each byte encoded once more but `A-Z a-z 0-9 - _ . ~ /`."""
    segments: list[bytes] = []
    for segment in raw.split(b"/"):
        if segment == b"..":
            del segments[-1:]
        elif segment not in (b"", b"."):
            segments.append(segment)
    path = b"/" + b"/".join(segments)
    if raw.endswith(b"/") and segments:
        path += b"/"
    return quote(path, safe="/~")


def _queries(pairs: Pairs) -> tuple[str, ...]:
    """The sorted query, each part encoded anew; and as it came, which botocore signs without a look."""
    encoded = _joined([(_encode(name), _encode(value)) for name, value in pairs])
    raw = _joined([(_text(name), _text(value)) for name, value in pairs])
    return (encoded,) if raw == encoded else (encoded, raw)


def _encode(raw: bytes) -> str:
    return quote(unquote_to_bytes(raw), safe="~")


def _joined(pairs: list[tuple[str, str]]) -> str:
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _value(values: Sequence[str]) -> str:
    return ",".join(" ".join(value.split()) for value in values)


def _invalid(message: str) -> SignatureError:
    return SignatureError("InvalidSignatureException", message)


def _incomplete(message: str) -> SignatureError:
    return SignatureError("IncompleteSignatureException", message, status=400)
