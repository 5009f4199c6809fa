"""Who may look: a token, shown once in a form, then a signed cookie. Standard library only."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable

KEPT_S = 30 * 86_400
LOGIN_S = 3600  # for which a form may lie open


class Sessions:
    """Makes and checks what browsers hold. Only sessions that were ended early are kept here.

    A session is a time of expiry and a random number, signed with the token: it outlives a restart,
    and ends when the token is changed. That one was ended early is not known after a restart.
    Forms and calls that change something carry a second number that other sites cannot know.

    Example:
        >>> sessions = Sessions("secret", clock=lambda: 1000.0)
        >>> cookie = sessions.begun()
        >>> sessions.is_valid(cookie), sessions.is_valid(cookie + "0"), sessions.is_valid("")
        (True, False, False)
        >>> sessions.end(cookie)
        >>> sessions.is_valid(cookie)
        False
    """

    def __init__(self, token: str | None, clock: Callable[[], float] = time.time) -> None:
        """Take the token; None: there is none, and everybody who comes may look."""
        self.has_token = token is not None
        self._token = (token or "").encode()
        self._key = self._token or secrets.token_bytes(32)
        self._process_key = secrets.token_bytes(32)
        self._ended: set[str] = set()  # cookies; they need the token to be made, so they are few
        self._clock = clock

    def is_token(self, shown: bytes) -> bool:
        """Whether this is the token; takes the same time for any."""
        return hmac.compare_digest(shown, self._token) and self.has_token

    def begun(self) -> str:
        """The value of a new session's cookie."""
        body = f"{int(self._clock()) + KEPT_S}.{secrets.token_hex(16)}"
        return f"{body}.{_signed(self._key, 'session', body)}"

    def is_valid(self, cookie: str) -> bool:
        """Whether a cookie is of a session that has not ended."""
        body, _, signature = cookie.rpartition(".")
        if not self.has_token or not _is_signed(self._key, "session", body, signature):
            return False
        return self._lasts(cookie) and cookie not in self._ended

    def end(self, cookie: str) -> None:
        """End a session before its time; what is none changes nothing."""
        if self.is_valid(cookie):
            self._ended = {each for each in self._ended if self._lasts(each)} | {cookie}

    def _lasts(self, value: str) -> bool:
        return int(value.partition(".")[0]) > self._clock()

    def csrf(self, cookie: str) -> str:
        """What requests of this session must show if they change something."""
        return _signed(self._process_key, "csrf", cookie)

    def is_csrf(self, shown: str, cookie: str) -> bool:
        """Whether that was shown."""
        return _is_signed(self._process_key, "csrf", cookie, shown)

    def form(self) -> tuple[str, str]:
        """For a login form: the value of its cookie, and of its hidden field."""
        body = f"{int(self._clock()) + LOGIN_S}.{secrets.token_hex(16)}"
        return body, _signed(self._process_key, "form", body)

    def is_form(self, cookie: str, field: str) -> bool:
        """Whether a form that came back is one of ours, and not too old."""
        is_ours = _is_signed(self._process_key, "form", cookie, field)
        return is_ours and self._lasts(cookie)


def _signed(key: bytes, purpose: str, text: str) -> str:
    return hmac.new(key, f"{purpose}|{text}".encode(), hashlib.sha256).hexdigest()


def _is_signed(key: bytes, purpose: str, text: str, signature: str) -> bool:
    expected = _signed(key, purpose, text).encode()
    return hmac.compare_digest(expected, signature.encode("utf-8", "surrogateescape"))
