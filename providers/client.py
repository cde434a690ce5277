"""One GET to a source: bounded in time and size, without redirects, and with the secrets put in at the last moment.

What aiohttp does by default and this does not: follow redirects with our headers, inflate without limit, wait for five minutes, and
write the whole URL, key included, into its errors.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from aiohttp import ClientConnectorError, ClientError, ClientSession, ClientTimeout, DummyCookieJar

from providers.errors import AnswerTooLarge, KeyRefused, NotThere, RateLimited, RequestRefused, TooSlow, Unreachable, UpstreamFault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import ClientResponse

    from providers.base import Provider, Request

USER_AGENT = "gridgram (self-hosted carbon-intensity service)"
CONNECT_SECONDS = 2.0
"""A source that does not even take a connection in this time is not there; most firewalls drop without a word."""
READ_BYTES = 64 * 1024
ERROR_BYTES = 16 * 1024
"""How much of an error's body is read, to see whether it only says that there is nothing."""


def open_session() -> ClientSession:
    """A session for all sources; needs a running loop, and whoever opens it closes it."""
    session = ClientSession(
        timeout=ClientTimeout(total=None, sock_connect=CONNECT_SECONDS), cookie_jar=DummyCookieJar(), headers={"User-Agent": USER_AGENT}
    )
    session._retry_connection = False  # noqa: SLF001 - retries live in one place, the engine; there is no public switch (aiohttp 3.14)
    return session


async def get(  # noqa: PLR0913 - each is one condition of the call
    session: ClientSession,
    provider: Provider,
    request: Request,
    *,
    base_url: str,
    secrets: Mapping[str, str],
    seconds: float,
) -> bytes | None:
    """Ask a source once; the answer's bytes, or None where its error status only says that it holds nothing.

    `base_url`, unless empty, replaces scheme and host. Raises the errors of `providers.errors`.
    """
    name = provider.info.name
    query, headers = _with_secrets(provider, request, secrets)
    try:
        async with (
            asyncio.timeout(seconds),
            session.get(_placed(request.url, base_url), params=query, headers=headers, allow_redirects=False) as response,
        ):
            if response.status == 200:  # noqa: PLR2004 - the only status whose body is an answer
                return await _read(response, name, provider.max_bytes)
            body = await response.content.read(ERROR_BYTES)
            if provider.is_empty(response.status, body):
                return None
            raise _refusal(response, name, request)
    except TimeoutError:
        raise TooSlow(f"{name} did not answer for {request.zone} within {seconds:.1f} s.") from None
    except ClientConnectorError as error:
        raise NotThere(f"No connection to {name} could be made ({type(error).__name__}).") from None
    except (ClientError, OSError) as error:
        raise Unreachable(f"{name} could not be reached for {request.zone} ({type(error).__name__}).") from None


async def _read(response: ClientResponse, name: str, max_bytes: int) -> bytes:
    body = bytearray()
    async for piece in response.content.iter_chunked(READ_BYTES):
        body += piece
        if len(body) > max_bytes:
            raise AnswerTooLarge(f"{name} sent more than {max_bytes} bytes; nothing of it was used.")
    return bytes(body)


def _refusal(response: ClientResponse, name: str, request: Request) -> Exception:
    status = response.status
    told = f"{name} refused {request.zone} for {request.interval.start:%Y-%m-%d} (HTTP {status})."
    if status == 429:  # noqa: PLR2004 - too many requests
        return RateLimited(told, pause_seconds(response.headers.get("Retry-After"), datetime.now(UTC)))
    if status in {401, 403}:
        return KeyRefused(f"{name} refused the key for {request.zone} (HTTP {status}).")
    if status >= 500:  # noqa: PLR2004 - the source's own failures
        return UpstreamFault(f"{name} failed at {request.zone} (HTTP {status}).")
    return RequestRefused(told)


def pause_seconds(retry_after: str | None, now: datetime) -> float | None:
    """Read a Retry-After header, seconds or a date; None for none, for a past one, and for what cannot be read."""
    if retry_after is None:
        return None
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            until = parsedate_to_datetime(retry_after)
        except ValueError:
            return None
        if until.tzinfo is None:  # "-0000", which is UTC without saying where it was written
            until = until.replace(tzinfo=UTC)
        seconds = (until - now).total_seconds()
    return seconds if 0 < seconds < float("inf") else None


def _placed(url: str, base_url: str) -> str:
    if not base_url:
        return url
    place, asked = urlsplit(base_url), urlsplit(url)
    return urlunsplit((place.scheme, place.netloc, asked.path, asked.query, ""))


def _with_secrets(provider: Provider, request: Request, secrets: Mapping[str, str]) -> tuple[list[tuple[str, str]], dict[str, str]]:
    query, headers = list(request.query), dict(request.headers)
    for secret in provider.secrets:
        value = secret.template.format(secrets[secret.setting])
        if secret.place == "query":
            query.append((secret.field, value))
        else:
            headers[secret.field] = value
    return query, headers
