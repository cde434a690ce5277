"""TLS to Redis: the certificates are read once, not for every connection as redis-py 8.1 does (0.1 s of the loop each time)."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

from redis.asyncio import SSLConnection
from redis.asyncio.sentinel import SentinelManagedConnection

from gridgram.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path


def tls_context(ca_file: Path | None, cert_file: Path | None, key_file: Path | None) -> ssl.SSLContext:
    """TLS 1.2 or later, the server's name checked against a certificate of the given authority, else of the system's.

    Raises SettingsError for a file that holds no such thing.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (ssl.SSLError, OSError) as error:
        raise SettingsError(f"GRIDGRAM_REDIS_CA_FILE names {str(ca_file)!r}, which holds no certificate (PEM): {error}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if cert_file is not None:
        try:
            context.load_cert_chain(cert_file, key_file)
        except (ssl.SSLError, OSError) as error:
            named = f"GRIDGRAM_REDIS_CERT_FILE names {str(cert_file)!r}, which"
            raise SettingsError(f"{named} with its key is no certificate to show (PEM): {error}") from error
    return context


class TlsConnection(SSLConnection):
    """A connection whose certificates were read before."""

    def __init__(self, *, shared_context: ssl.SSLContext, **options: Any) -> None:  # noqa: ANN401 - redis-py's own
        super().__init__(**options)
        self.ssl_context.context = shared_context


class TlsSentinelConnection(SentinelManagedConnection, TlsConnection):
    """The same to the master that sentinels name."""
