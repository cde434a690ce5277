"""The one place that waits for sources: plan, ask, parse, check, hours.

One retry policy (three tries, full jitter, within a budget, never past the deadline), one rate and one circuit breaker a source. A
source that fails costs its own hours and nothing else.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, quote_plus

import structlog
from aiohttp import encode_basic_auth
from aiolimiter import AsyncLimiter
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt, wait_random_exponential
from tenacity.stop import stop_base

from gridgram.errors import UpstreamError
from providers import client
from providers.base import Batch, IntensityPoint, PointFault, Request
from providers.checks import FEW_POINTS, check, intensity_fault
from providers.errors import KeyRefused, OverRate, UnitSlip, Unreachable, UpstreamFault
from providers.health import Health
from providers.hourly import hours_of
from providers.spending import spend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from aiohttp import ClientSession

    from gridgram.interval import Interval
    from gridgram.mix_series import MixSeries
    from gridgram.series import IntensitySeries
    from gridgram.zones import Zone
    from providers.base import Login, MixPoint, Provider

log = structlog.get_logger()

ATTEMPTS: Final = 3
FIRST_WAIT_SECONDS: Final = 0.25
LONGEST_WAIT_SECONDS: Final = 5.0
CONCURRENT_REQUESTS: Final = 4
MAX_REQUESTS: Final = 2_000
"""Of one fetch, pages and files included: a source that points on and on is stopped."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the operator set for one source: its secrets by setting, and another place to ask."""

    secrets: Mapping[str, str] = field(default_factory=dict)
    base_url: str = ""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a source gave for a span: its hours by signal and their mix, what of it could not be used, and why a part is missing."""

    series: Sequence[IntensitySeries]
    faults: Sequence[PointFault]
    points: Sequence[MixPoint | IntensityPoint] = ()
    error: UpstreamError | None = None
    mix: MixSeries | None = None


class Engine:
    """Asks sources. `clock` gives the present; belongs to one event loop; close it when done."""

    def __init__(self, options: Mapping[str, Options], clock: Callable[[], datetime]) -> None:
        self.options = options
        self.clock = clock
        self.health: dict[str, Health] = {}
        self._limits: dict[str, AsyncLimiter] = {}
        self._tokens: dict[str, tuple[str, float]] = {}
        self._logging_in: dict[str, asyncio.Lock] = {}
        self._session: ClientSession | None = None

    def health_of(self, provider: Provider) -> Health:
        """What is known of a source; nothing yet, if it was never asked."""
        return self.health.setdefault(provider.info.name, Health(provider.info.name))

    async def fetch(self, provider: Provider, zone: Zone, interval: Interval, seconds: float) -> Fetched:
        """Ask a source for the hours that a span touches, within so many seconds.

        What came is kept when a part failed; `error` then tells why. Raises UpstreamError when nothing came.
        """
        health = self.health_of(provider)
        health.admit(time.monotonic())
        started = time.monotonic()
        with _faults_of_ours(provider):
            requests = provider.plan(zone.key, interval, self.clock())
        batches, error = await self._ask_all(provider, requests, started + seconds)
        now = self.clock()
        if error is not None:
            health.failed(error, time.monotonic())
            if not batches:
                raise error
        elif requests:
            health.succeeded(time.monotonic() - started, now)
        with _faults_of_ours(provider):
            fetched = await asyncio.to_thread(_hours, batches, error, provider, zone, interval, now)
        if isinstance(fetched.error, UnitSlip):
            health.failed(fetched.error, time.monotonic())
        return fetched

    async def close(self) -> None:
        """Close the connections to all sources."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _ask_all(self, provider: Provider, requests: Sequence[Request], deadline: float) -> tuple[list[Batch], UpstreamError | None]:
        """All answers, those to the requests that an answer points to included, in the order of the requests; and the first failure."""
        room = asyncio.Semaphore(CONCURRENT_REQUESTS)
        batches: list[Batch] = []
        wave = list(requests)
        asked = 0
        while wave:
            asked += len(wave)
            if asked > MAX_REQUESTS:
                return batches, UpstreamError(f"{provider.info.name} points to more than {MAX_REQUESTS} requests for one span.")
            answers = await asyncio.gather(*(self._answer(provider, request, deadline, room) for request in wave))
            answered = [answer for answer in answers if isinstance(answer, Batch)]
            batches += answered
            if failure := next((answer for answer in answers if isinstance(answer, UpstreamError)), None):
                return batches, failure
            wave = [request for batch in answered for request in batch.following]
        return batches, None

    async def _answer(self, provider: Provider, request: Request, deadline: float, room: asyncio.Semaphore) -> Batch | UpstreamError | None:
        """The answer to one request, or why there is none; None where the source says that it holds nothing."""
        try:
            return await self._ask(provider, request, deadline, room)
        except UpstreamError as error:
            return error

    async def _ask(self, provider: Provider, request: Request, deadline: float, room: asyncio.Semaphore) -> Batch | None:
        policy = AsyncRetrying(
            retry=retry_if_exception_type((Unreachable, UpstreamFault)),
            stop=_StopBefore(deadline) | stop_after_attempt(ATTEMPTS) | _StopUnpaid(self.health_of(provider)),
            wait=wait_random_exponential(multiplier=FIRST_WAIT_SECONDS, max=LONGEST_WAIT_SECONDS),
            reraise=True,
        )
        async with room:
            body: bytes | None = await policy(self._get, provider, request, deadline)
        if body is None:
            return None
        echoed = [secret for secret in self._secrets_as_sent(provider) if secret in body]
        return await asyncio.to_thread(_parsed, provider, request, body, echoed)

    def _secrets_as_sent(self, provider: Provider) -> set[bytes]:
        """The secrets of a source, plain and as a URL writes them. A user's name is none."""
        held_here = self.options.get(provider.info.name, Options()).secrets
        secrets = [secret for setting, secret in held_here.items() if setting != "username"]
        if provider.login is not None and (held := self._tokens.get(provider.login.url)):
            secrets.append(held[0])
        forms = (form for secret in secrets for form in (secret, quote(secret), quote(secret, safe=""), quote_plus(secret)))
        return {form.encode() for form in forms if form}

    async def _get(self, provider: Provider, request: Request, deadline: float) -> bytes | None:
        name = provider.info.name
        limit = self._limits.setdefault(name, AsyncLimiter(max(1.0, provider.requests_per_minute), 60.0))
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                await limit.acquire()
        except TimeoutError:
            raise OverRate(f"{name} may not be asked that often; no time was left for {request.zone}.") from None
        secrets = self.options.get(name, Options()).secrets
        if provider.login is not None:
            secrets = {"token": await self._token(provider, provider.login, request, deadline)}
        try:
            return await self._send(provider, request, secrets, deadline)
        except KeyRefused:
            if provider.login is None or self._tokens.pop(provider.login.url, None) is None:
                raise
            secrets = {"token": await self._token(provider, provider.login, request, deadline)}  # the old one may have run out
            return await self._send(provider, request, secrets, deadline)

    async def _token(self, provider: Provider, login: Login, request: Request, deadline: float) -> str:
        """The token of a source that wants a login, asked for anew when it has run out."""
        async with self._logging_in.setdefault(login.url, asyncio.Lock()):  # several requests need one token
            held = self._tokens.get(login.url)
            if held is None or held[1] <= time.monotonic():
                held = self._tokens[login.url] = await self._log_in(provider, login, request, deadline)
            return held[0]

    async def _log_in(self, provider: Provider, login: Login, request: Request, deadline: float) -> tuple[str, float]:
        """A new token, and until when it is used."""
        user, password = (self.options[provider.info.name].secrets[setting] for setting in login.settings)
        basic = ("Authorization", encode_basic_auth(user, password))
        asking = Request(login.url, request.zone, request.interval, headers=(basic,), part="login")
        body = await self._send(replace(provider, secrets=()), asking, {}, deadline)
        return login.read_token(body or b""), time.monotonic() + login.lasts.total_seconds()

    async def _send(self, provider: Provider, request: Request, secrets: Mapping[str, str], deadline: float) -> bytes | None:
        await spend(provider.info.name)
        base_url = self.options.get(provider.info.name, Options()).base_url
        seconds = max(0.0, deadline - time.monotonic())
        return await client.get(self._opened(), provider, request, base_url=base_url, secrets=secrets, seconds=seconds)

    def _opened(self) -> ClientSession:
        if self._session is None:
            self._session = client.open_session()
        return self._session


class _StopBefore(stop_base):
    """Stop when the wait that comes next would pass the deadline."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline

    def __call__(self, state: RetryCallState) -> bool:
        return time.monotonic() + state.upcoming_sleep >= self.deadline


class _StopUnpaid(stop_base):
    """Stop when the source's retry budget is used up. Asked last: what it allows is counted as done."""

    def __init__(self, health: Health) -> None:
        self.health = health

    def __call__(self, state: RetryCallState) -> bool:
        del state
        return not self.health.may_retry()


@contextmanager
def _faults_of_ours(provider: Provider) -> Iterator[None]:
    """Turn what a provider's own code raises by mistake into an error of that source, so that it costs nobody else."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        log.exception("provider.failed", provider=provider.info.name)
        raise UpstreamError(f"An answer of {provider.info.name} could not be read ({type(error).__name__}).") from error


def _parsed(provider: Provider, request: Request, body: bytes, echoed: Sequence[bytes]) -> Batch:
    """Read an answer. Where it echoes secrets, what is told of its faults is told of the answer without them; its numbers stay its own."""
    if not echoed:
        with _faults_of_ours(provider):
            return provider.parse(request, body)
    harmless = body
    for secret in echoed:
        harmless = harmless.replace(secret, b"***")
    told: Sequence[PointFault] | None = None
    unreadable = UpstreamError(f"An answer of {provider.info.name} could not be read.")
    try:
        told = provider.parse(request, harmless).faults
    except UpstreamError as error:
        unreadable = error
    except Exception:  # noqa: BLE001, S110 - the answer itself is read below; this was only for what to tell of it
        pass
    try:
        batch = provider.parse(request, body)
    except Exception:  # noqa: BLE001 - whatever it says may quote the secret
        raise unreadable from None
    if told is None:
        hidden = PointFault("the answer", f"{len(batch.faults)} rows could not be read; it echoes a secret, so they are not quoted")
        told = [hidden] if batch.faults else ()
    return replace(batch, faults=told)


def _hours(  # noqa: PLR0913, PLR0917 - what came, and what it is of
    batches: Sequence[Batch], error: UpstreamError | None, provider: Provider, zone: Zone, interval: Interval, now: datetime
) -> Fetched:
    """Check the points of all answers and make hours of them; of a point that comes twice the later answer counts.

    Nothing is made of an answer that is in another unit.
    """
    latest = {(point.start, type(point), getattr(point, "signal", None)): point for batch in batches for point in batch.points}
    points, refused = check(sorted(latest.values(), key=lambda point: point.start), now, zone.longitude)
    slip = _slip([point for point in latest.values() if isinstance(point, IntensityPoint)], provider, zone)
    if slip is not None:  # what else came beside it is in the same unit
        points, error = [], error or slip
    hours = hours_of(points, provider, zone.key, interval.first_hour, interval.end_hour, now)
    return Fetched(hours.series, [*(fault for batch in batches for fault in batch.faults), *refused], points, error, hours.mix)


def _slip(stated: Sequence[IntensityPoint], provider: Provider, zone: Zone) -> UnitSlip | None:
    """What is wrong with the unit of stated intensities of which, for one signal, no point can be one."""
    for signal in sorted({point.signal for point in stated}):
        reasons = [intensity_fault(point) for point in stated if point.signal is signal]
        if len(reasons) >= FEW_POINTS and all(reasons):
            return UnitSlip(f"No {signal} intensity that {provider.info.name} states of {zone.key} can be one: {reasons[0]}")
    return None
