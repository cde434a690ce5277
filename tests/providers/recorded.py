"""Sources that answer with what was recorded of them: a real HTTP server, and the whole house in front of it."""

from __future__ import annotations

import gzip
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from gridgram.interval import Interval, hour_start, parse_time
from providers.checks import check
from providers.hourly import hours_of
from providers.registry import load_providers
from service.app import build_gridgram
from service.settings import ProviderSettings, Settings
from tests.providers.tape import Tape, running_tape
from tests.shared import shared

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from gridgram.series import IntensitySeries
    from gridgram.zones import Zone
    from providers.base import IntensityPoint, MixPoint, Provider
    from service.usecases import Gridgram

PROVIDERS = load_providers()
HOURS_PER_DAY = 24


@dataclass(frozen=True, slots=True)
class Recording:
    """One recorded answer, what is asked so that it comes, and what must come of it.

    `path` and `asked`: the pattern that the path fits and the questions that must stand in the query of a request for it. `told`: so
    many hours of its first signal. `kind`: of the failure that it is, "" for none. `beside`: what other paths answer. `laid_out` makes
    the answer to a query of the recorded bytes, where the source cuts them into pages or they were kept in another layout.
    """

    file: str
    provider: str
    zone: str
    start: str
    end: str
    now: str
    path: str
    told: int = 0
    kind: str = ""
    status: int = 200
    beside: Mapping[str, bytes] = field(default_factory=dict)
    asked: Mapping[str, str] = field(default_factory=dict)
    laid_out: Callable[[Mapping[str, str], bytes], bytes] | None = None

    @property
    def interval(self) -> Interval:
        """What is asked for, whole hours."""
        return Interval(parse_time(self.start), parse_time(self.end))

    @property
    def days(self) -> Interval:
        """The days that are asked of the source for it."""
        first, end = self.interval.first_hour // HOURS_PER_DAY, -(-self.interval.end_hour // HOURS_PER_DAY)
        return Interval(hour_start(first * HOURS_PER_DAY), hour_start(end * HOURS_PER_DAY))

    def body(self) -> bytes:
        """The bytes as they came; skips the calling test where they are absent."""
        body = shared("recordings", *self.file.split("/")).read_bytes()
        return gzip.decompress(body) if self.file.endswith(".json.gz") else body

    def fits(self, path: str, query: Mapping[str, str]) -> bool:
        """Whether this is the answer to a request."""
        return re.search(self.path, path) is not None and self.asked.items() <= query.items()

    def answer(self, query: Mapping[str, str]) -> bytes:
        """What the source answers to a request that this fits."""
        return self.laid_out(query, self.body()) if self.laid_out else self.body()

    def points(self) -> list[MixPoint | IntensityPoint]:
        """The points that the adapter alone reads of these bytes, as its own tests do; none of a failure."""
        if self.kind or self.status != 200:
            return []
        provider = PROVIDERS[self.provider]
        points: list[MixPoint | IntensityPoint] = []
        wave = provider.plan(self.zone, self.days, parse_time(self.now))
        while wave:
            fitting = [(request, dict(request.query)) for request in wave]
            batches = [provider.parse(request, self.answer(query)) for request, query in fitting if self.fits(request.url, query)]
            points += [point for batch in batches for point in batch.points]
            wave = [request for batch in batches for request in batch.following]
        return sorted(points, key=lambda point: point.start)

    def hours(self, zone: Zone) -> list[IntensitySeries]:
        """The hours that these points make. [gCO2e/kWh]"""
        provider, now = PROVIDERS[self.provider], parse_time(self.now)
        sound, _ = check(self.points(), now, zone.longitude)
        return hours_of(sound, provider, self.zone, self.interval.first_hour, self.interval.end_hour, now).series


class RecordedTape(Tape):
    """Gives each request the recording that fits it, else what `empty` has for its path, else 404."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[Recording] = []
        self.empty: dict[str, bytes] = {}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        if self.mode != "ok":
            return await super().answer(request)
        self.seen.append(request)
        for recording in self.held:
            if recording.fits(request.path, request.query):
                return web.Response(status=recording.status, body=recording.answer(request.query))
        others = (item for held in (*(recording.beside for recording in self.held), self.empty) for item in held.items())
        body = next((body for pattern, body in others if re.search(pattern, request.path)), None)
        return web.Response(status=404) if body is None else web.Response(body=body)


@asynccontextmanager
async def recorded_tape() -> AsyncIterator[RecordedTape]:
    """A tape of recordings on a free port."""
    async with running_tape(RecordedTape()) as tape:
        assert isinstance(tape, RecordedTape)
        yield tape


def secrets_of(provider: Provider) -> dict[str, Any]:
    """A made-up secret for each setting that the source needs."""
    return {setting: f"made-up-{setting}" for setting in provider.needed_settings}


def gridgram_at(folder: Path, recording: Recording, address: str) -> Gridgram:
    """The whole house at the time of a recording, with its source as the only one."""
    provider, now = PROVIDERS[recording.provider], parse_time(recording.now)
    off = {name: ProviderSettings(enabled=False) for name in PROVIDERS}
    on = ProviderSettings(url=address, **secrets_of(provider))
    settings = {**off, provider.settings_name: on, recording.provider: on}
    gridgram = build_gridgram(Settings(store=f"sqlite:///{folder / 'series.sqlite'}", providers=settings, upstream_seconds=20))
    fetcher = gridgram.intensity.fetcher
    assert fetcher is not None
    gridgram.now = fetcher.clock = fetcher.engine.clock = fetcher.asker.clock = lambda: now
    return gridgram
