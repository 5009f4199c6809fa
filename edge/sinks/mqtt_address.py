"""Where a broker is, how to log in, and what to trust."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Literal

from edge.errors import SinkError


@dataclass(frozen=True, slots=True)
class Tls:
    """Certificates, PEM files.

    `insecure` encrypts without asking who is at the other end: for tests only.
    """

    ca_file: str | None = None  # None: those of the system
    cert_file: str | None = None  # ours
    key_file: str | None = None
    insecure: bool = False


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where a broker is and how to log in."""

    host: str
    port: int | None = None  # None: 1883, or 8883 with TLS
    version: Literal["3.1.1", "5"] = "3.1.1"
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: Tls | None = None
    timeout_s: float = 10.0

    def __str__(self) -> str:
        port = self.port or (1883 if self.tls is None else 8883)
        return f"MQTT broker {self.host}:{port}"


def tls_context(address: BrokerAddress, tls: Tls) -> ssl.SSLContext:
    """What encrypts.

    Raises:
        SinkError: a certificate file cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
    except (OSError, ssl.SSLError) as error:
        what = f"{address}: expected certificates (PEM) in {tls.ca_file}"
        raise SinkError(f"{what}, got: {_why(error)}") from error
    if tls.cert_file is not None:
        try:
            # A password asked for on a terminal would hang: an encrypted key is refused.
            context.load_cert_chain(tls.cert_file, tls.key_file, password=lambda: "")
        except (OSError, ssl.SSLError) as error:
            what = f"{address}: expected a certificate and its unencrypted key (PEM) in"
            files = f"{tls.cert_file} and {tls.key_file}"
            raise SinkError(f"{what} {files}, got: {_why(error)}") from error
    if tls.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _why(error: OSError) -> str:
    return (getattr(error, "reason", None) or error.strerror or str(error)).lower()
