"""Events in batches by HTTP POST. The only place that knows httpx."""

from __future__ import annotations

import email.utils
import hashlib
import hmac
import json
import logging
import re
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import httpx

import edge
from edge.errors import SinkError
from edge.sinks.failure import Cause, NotDelivered
from edge.sinks.profile import Profile, profiled

MOST_SHOWN = 200  # characters of an answer that a message quotes
MOST_READ = 65_536  # bytes of an answer that are read at all
_CONTENT = (400, 413, 422)  # it is for what was sent
_RETRIED = (408, 425, 429)  # 4xx that say nothing against us
_ANSWERS = {301: "a redirect", 401: "a wrong token or signature", 403: "no permission"}

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"[\x20-\x7e]*")

# At level info httpx writes every address in full, and that may hold a token.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to post, and what proves that it is us."""

    url: str = field(repr=False)
    secret: str | None = field(default=None, repr=False)  # signs each request
    token: str | None = field(default=None, repr=False)  # bearer token
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    ca_file: str | None = None  # certificates to trust, PEM; None: the well-known authorities
    timeout_s: float = 10.0  # of connecting, of sending, of waiting for the answer


class WebhookSink:
    """Posts `{"events":[...]}`; any 2xx says that the receiver has them all.

    `Idempotency-Key` is the same whenever the same events are sent. With a secret,
    `X-Edgecount-Signature: t=T,sha256=S` carries the Unix time and HMAC-SHA256, in hexadecimal,
    of `T.` and the body. Redirects are not followed. No message holds more of the address than
    scheme, host and port.
    """

    def __init__(self, endpoint: Endpoint, profile: Profile = "full") -> None:
        """Prepare; nothing is sent yet.

        Raises:
            SinkError: The address, a header or the certificate file cannot be used.
        """
        self._endpoint = endpoint
        self._profile: Profile = profile
        try:
            url = httpx.URL(endpoint.url)
        except httpx.InvalidURL as error:
            raise SinkError("webhook: expected an address, got one that cannot be read") from error
        if url.scheme not in ("http", "https") or not url.host:
            raise SinkError("webhook: expected an address that begins with http:// or https://")
        self._where = f"webhook {url.scheme}://{url.netloc.decode().rpartition('@')[2]}"
        self._secrets = _secrets(endpoint, url)
        _check_headers(self._where, endpoint)
        self._client = self._new_client()

    def send(self, lines: Sequence[str]) -> None:
        """Post a batch and wait for the answer; no lines: nothing is done.

        Raises:
            NotDelivered: The receiver did not answer 2xx.
        """
        if not lines:
            return
        body = b'{"events":[%b]}' % ",".join(profiled(x, self._profile) for x in lines).encode()
        headers = {"Content-Type": "application/json", "Idempotency-Key": _key(lines)}
        if self._endpoint.secret is not None:
            headers["X-Edgecount-Signature"] = signature(self._endpoint.secret, body, time.time())
        # httpx limits each read, not their sum: a receiver that answers byte by byte is cut off.
        client = self._client
        limit = threading.Timer(3 * self._endpoint.timeout_s, client.close)
        limit.daemon = True
        limit.start()
        try:
            with client.stream("POST", self._endpoint.url, content=body, headers=headers) as answer:
                self._check(answer)
        except (httpx.HTTPError, httpx.StreamError, OSError, RuntimeError) as error:
            raise self._unanswered(error) from error
        finally:
            limit.cancel()
            if client.is_closed:
                self._client = self._new_client()

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _new_client(self) -> httpx.Client:
        endpoint = self._endpoint
        headers = {"User-Agent": f"edgecount/{edge.__version__}", **endpoint.headers}
        if endpoint.token is not None:
            headers["Authorization"] = f"Bearer {endpoint.token}"
        try:
            verify = ssl.create_default_context(cafile=endpoint.ca_file)
            return httpx.Client(
                headers=headers,
                timeout=endpoint.timeout_s,
                verify=verify if endpoint.ca_file else True,
                limits=httpx.Limits(max_connections=1, keepalive_expiry=60),
            )
        except OSError as error:
            got = (getattr(error, "reason", None) or error.strerror or str(error)).lower()
            raise SinkError(
                f"{self._where}: expected certificates (PEM) in {endpoint.ca_file}, got: {got}"
            ) from error

    def _check(self, answer: httpx.Response) -> None:
        if answer.is_success:
            return
        status = answer.status_code
        got = f"{status} {_ANSWERS.get(status, answer.reason_phrase)}".strip()
        if text := self._text(answer):
            got = f"{got}: {text}"
        wait_s = 0.0
        if 300 <= status < 400:
            raise self._failure(f"{got}; put the final address into url", "refused")
        if status in (429, 503):
            wait_s = retry_after_s(answer.headers.get("Retry-After", ""), time.time())
        raise self._failure(got, _cause(status), wait_s)

    def _text(self, answer: httpx.Response) -> str:
        """The beginning of an answer on one line, without what is secret."""
        data = b""
        for piece in answer.iter_raw(4096):
            data += piece
            if len(data) >= MOST_READ:
                break
        text = data.decode("utf-8", "replace")
        for secret in self._secrets:
            text = text.replace(secret, "***")
        text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        return text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 3] + "..."

    def _unanswered(self, error: Exception) -> NotDelivered:
        if isinstance(error, httpx.TimeoutException):
            return self._failure(f"none in {self._endpoint.timeout_s:g} s", "away")
        if isinstance(error, RuntimeError) or self._client.is_closed:
            return self._failure(f"no end of it in {3 * self._endpoint.timeout_s:g} s", "away")
        cause: BaseException = error  # what the system or TLS said lies below httpx's own errors
        while (below := cause.__cause__ or cause.__context__) is not None:
            cause = below
        if isinstance(cause, ssl.SSLCertVerificationError):
            return self._failure(
                f"a certificate we do not trust: {cause.verify_message}", "refused"
            )
        got = (getattr(cause, "strerror", None) or str(cause)).lower() or type(error).__name__
        for secret in self._secrets:
            got = got.replace(secret, "***")
        return self._failure(got, "away")

    def _failure(self, got: str, cause: Cause, wait_s: float = 0.0) -> NotDelivered:
        return NotDelivered(
            f"{self._where}: expected an answer 2xx, got {got}",
            cause,
            retry_after_s=wait_s,
            is_final=cause == "content",
        )


def signature(secret: str, body: bytes, unix_s: float) -> str:
    """What X-Edgecount-Signature says of a body.

    >>> signature("key", b"{}", 1700000000.9)[:30]
    't=1700000000,sha256=9d713ed406'
    """
    stamp = str(int(unix_s))
    digest = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={stamp},sha256={digest}"


def retry_after_s(value: str, now_unix_s: float) -> float:
    """Seconds that a Retry-After header asks for (RFC 9110, 10.2.3); 0 if it makes no sense.

    >>> retry_after_s("120", 0.0), retry_after_s("soon", 0.0), retry_after_s("-1", 0.0)
    (120.0, 0.0, 0.0)
    >>> retry_after_s("Thu, 01 Jan 1970 00:01:00 GMT", 20.0)
    40.0
    """
    if value.strip().isdecimal():
        return float(value.strip()[:9])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - now_unix_s)
    except (TypeError, ValueError, OverflowError):
        return 0.0


def _cause(status: int) -> Cause:
    if status in _CONTENT:
        return "content"
    return "refused" if 400 <= status < 500 and status not in _RETRIED else "away"


def _key(lines: Sequence[str]) -> str:
    """Names the batch by its events."""
    ids = [json.loads(line)["event_id"] for line in lines]
    return hashlib.sha256("\n".join(ids).encode()).hexdigest()[:32]


def _secrets(endpoint: Endpoint, url: httpx.URL) -> list[str]:
    """What no message may hold, longest first, so that no rest of a longer one is left."""
    found = {endpoint.secret, endpoint.token, *endpoint.headers.values(), url.username}
    found |= {url.password, *url.params.values()}
    if len(url.path) > 1:
        found |= {endpoint.url, url.path, url.raw_path.decode()}
    return sorted((text for text in found if text), key=len, reverse=True)


def _check_headers(where: str, endpoint: Endpoint) -> None:
    """Refuse what HTTP cannot carry, before some library quotes it."""
    names = {"token": endpoint.token or "", **endpoint.headers}
    for name, value in names.items():
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise SinkError(f"{where}: expected header {name!r} in printable ASCII, got other text")
