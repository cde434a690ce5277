"""Our own forecast of a zone: which hours it is made from, the models kept in the store, and training behind the answers.

A request that finds no model is answered by the best method that needs none, and training goes on behind it, once among all who share
the store. A forecast as of the past is trained at once, on what lay before.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from weakref import ReferenceType

import numpy as np
import structlog

from gridgram.errors import StoreError
from gridgram.forecast import is_recent, predict, train, untrained
from gridgram.forecast_codec import decode_model, encode_models
from gridgram.forecast_history import LONGEST_HOURS, history_of
from gridgram.forecast_ridge import LOOK_BACK_HOURS
from gridgram.interval import HOURS_PER_DAY, format_hour, hour_of, hour_start, months_between
from gridgram.quality import MISSING_CODE, QUALITY_CODES, Quality
from gridgram.series import IntensitySeries, Source, joined

if TYPE_CHECKING:
    from datetime import datetime

    from gridgram.forecast import Model, Outlook
    from gridgram.forecast_history import History
    from gridgram.quality import Signal
    from gridgram.sums import MonthChunk
    from service.intensity import Intensity

log = structlog.get_logger()

PROVIDER: Final = "gridgram"
AHEAD_HOURS: Final = 15 * HOURS_PER_DAY
"""How far an outlook reaches: past every time that a request may name."""
LATE_HOURS: Final = 72
"""A zone whose newest told hour is older than this has no recent hours, and what is typical is the honest answer."""
PREDICTED_FROM_HOURS: Final = 2 * LOOK_BACK_HOURS + LATE_HOURS
MONTHS_AT_ONCE: Final = 4
ASKED_HOURS: Final = 48
REFIT_HOURS: Final = 24
OLDEST_MODEL_HOURS: Final = 14 * HOURS_PER_DAY
MODEL_SECONDS: Final = 30 * 86_400.0
TRAINING_SECONDS: Final = 120.0
UNTRAINABLE_SECONDS: Final = 6 * 3_600.0
"""How long it is remembered that a zone has too few hours to train on, or that another process trains it."""
REMEMBERED: Final = 512
_FORECAST = QUALITY_CODES[Quality.FORECAST]
_TOLD = QUALITY_CODES[Quality.ESTIMATED]


@dataclass(frozen=True, slots=True)
class _Remembered:
    """An outlook and the chunks that it was made from, which it does not keep alive: while they are the same, so is the outlook."""

    chunks: tuple[ReferenceType[MonthChunk], ...]
    now_hour: int
    series: IntensitySeries | None


@dataclass(slots=True)
class Forecaster:
    """Forecasts any zone and signal from its held hours. Belongs to one event loop."""

    intensity: Intensity
    _outlooks: OrderedDict[tuple[str, Signal], _Remembered] = field(default_factory=OrderedDict)
    _past: OrderedDict[tuple[str, Signal, int], _Remembered] = field(default_factory=OrderedDict)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _training: set[tuple[str, Signal]] = field(default_factory=set)
    _not_before: dict[tuple[str, Signal], float] = field(default_factory=dict)

    async def outlook(self, zone: str, signal: Signal, now_hour: int) -> IntensitySeries | None:
        """Our forecast from the newest told hour before `now_hour` on; None where no recent hours are held: they are asked for behind."""
        chunks = await self._chunks(zone, signal, now_hour - PREDICTED_FROM_HOURS, now_hour)
        known = self._outlooks.get((zone, signal))
        if known is not None and known.now_hour == now_hour and are_same(known.chunks, chunks):
            return known.series
        held, history = await asyncio.to_thread(_read, chunks, now_hour)
        series = None
        if history is not None and now_hour - history.end_hour <= LATE_HOURS and is_recent(history):
            model = await self._model(zone, signal, history, now_hour)
            series = await asyncio.to_thread(_series, model, history, held, now_hour)
        else:
            self.intensity.behind(self.intensity.prepare(zone, signal, now_hour - PREDICTED_FROM_HOURS, now_hour))
        _remember(self._outlooks, (zone, signal), _Remembered(references(chunks), now_hour, series))
        return series

    async def outlook_as_of(self, zone: str, signal: Signal, cut: int) -> IntensitySeries | None:
        """The forecast that would have been made when the hour `cut` began, from the hours before it alone."""
        chunks = await self._chunks(zone, signal, cut - LONGEST_HOURS, cut)
        known = self._past.get((zone, signal, cut))
        if known is not None and are_same(known.chunks, chunks):
            return known.series
        series = await asyncio.to_thread(_series_as_of, chunks, cut)
        _remember(self._past, (zone, signal, cut), _Remembered(references(chunks), cut, series))
        return series

    async def train(self, zone: str, signal: Signal, now_hour: int) -> bool:
        """Train the zone's models, one for each hour of the day, in a thread, and keep them; False where too few hours are held.

        Raises StoreError when they cannot be kept.
        """
        chunks = await self._chunks(zone, signal, now_hour - LONGEST_HOURS, now_hour)
        packed = await asyncio.to_thread(_train_all, chunks, now_hour)
        if packed:
            await self.intensity.store.keep(model_name(zone, signal), packed, MODEL_SECONDS)
        self._outlooks.pop((zone, signal), None)
        return bool(packed)

    def may_train(self, zone: str, signal: Signal) -> None:
        """Forget that a zone could not be trained: hours have come that may be enough."""
        self._not_before.pop((zone, signal), None)

    async def train_if_old(self, zone: str, signal: Signal, now: datetime) -> None:
        """Train where no model is kept that is a day old at most; the store being away only leaves the zone untrained."""
        now_hour = hour_of(now)
        kept = await self._kept(zone, signal, now_hour)
        if kept is not None and 0 <= now_hour - kept.end_hour <= 2 * REFIT_HOURS:
            return
        await self.intensity.prepare(zone, signal, now_hour - ASKED_HOURS, now_hour)
        try:
            await self.train(zone, signal, now_hour)
        except StoreError as error:
            log.info("forecast.untrained", zone=zone, signal=signal.value, detail=str(error))

    async def _model(self, zone: str, signal: Signal, history: History, now_hour: int) -> Model:
        """The kept model of this hour of the day, or what needs none; training starts behind where it is missing or old."""
        model = await self._kept(zone, signal, history.end_hour)
        age = history.end_hour - model.end_hour if model is not None else 0
        if model is None or not -HOURS_PER_DAY <= age < REFIT_HOURS:
            self._train_behind(zone, signal, now_hour)
        if model is None or not -HOURS_PER_DAY <= age <= OLDEST_MODEL_HOURS:
            return await asyncio.to_thread(untrained, history)
        return model

    async def _kept(self, zone: str, signal: Signal, end_hour: int) -> Model | None:
        try:
            packed = await self.intensity.store.kept(model_name(zone, signal))
        except StoreError:
            return None
        return decode_model(packed, end_hour % HOURS_PER_DAY) if packed is not None else None

    def _train_behind(self, zone: str, signal: Signal, now_hour: int) -> None:
        key = (zone, signal)
        if key in self._training or time.monotonic() < self._not_before.get(key, float("-inf")):
            return
        self._training.add(key)
        self.intensity.behind(self._train_in_turn(zone, signal, now_hour))

    async def _train_in_turn(self, zone: str, signal: Signal, now_hour: int) -> None:
        """Train one zone after the other, so that answers find a core."""
        try:
            async with self._turn:
                await self._train_once(zone, signal, now_hour)
        finally:
            self._training.discard((zone, signal))

    async def _train_once(self, zone: str, signal: Signal, now_hour: int) -> None:
        """Train unless another process does; then, and where too few hours are held, leave it for a while."""
        name = f"train/{zone}/{signal}"
        try:
            token = await self.intensity.store.claim(name, TRAINING_SECONDS)
            if token is None or not await self.train(zone, signal, now_hour):
                self._not_before[zone, signal] = time.monotonic() + (UNTRAINABLE_SECONDS if token else TRAINING_SECONDS)
            if token is not None:
                await self.intensity.store.release(name, token)
        except StoreError as error:
            self._not_before[zone, signal] = time.monotonic() + TRAINING_SECONDS
            log.info("forecast.untrained", zone=zone, signal=signal.value, detail=str(error))

    async def _chunks(self, zone: str, signal: Signal, first_hour: int, end_hour: int) -> tuple[MonthChunk, ...]:
        """The months that the hours touch, read a few at a time so that the loop has its turn between."""
        months = months_between(first_hour, end_hour)
        chunks: list[MonthChunk] = []
        for place in range(0, len(months), MONTHS_AT_ONCE):
            chunks += await self.intensity.chunks(zone, signal, months[place : place + MONTHS_AT_ONCE])
        return tuple(chunks)


def model_name(zone: str, signal: Signal) -> str:
    """Where the models of a zone and signal are kept."""
    return f"models/{zone}/{signal}"


def _read(chunks: tuple[MonthChunk, ...], end_hour: int) -> tuple[IntensitySeries, History | None]:
    """What is held before an hour, and the history that it tells."""
    held = joined([chunk.series for chunk in chunks])
    held = held.window(held.first_hour, min(end_hour, held.end_hour))
    return held, history_of(held)


def references(chunks: tuple[MonthChunk, ...]) -> tuple[ReferenceType[MonthChunk], ...]:
    """The chunks, not kept alive."""
    return tuple(ReferenceType(chunk) for chunk in chunks)


def are_same(known: tuple[ReferenceType[MonthChunk], ...], chunks: tuple[MonthChunk, ...]) -> bool:
    """Whether these are the chunks that were referred to, and nothing was laid over them since."""
    return len(known) == len(chunks) and all(one() is other for one, other in zip(known, chunks, strict=True))


def _remember(table: OrderedDict, key: tuple, remembered: _Remembered) -> None:  # type: ignore[type-arg]  # two tables, each with keys of its own
    table[key] = remembered
    table.move_to_end(key)
    if len(table) > REMEMBERED:
        table.popitem(last=False)


def _train_all(chunks: tuple[MonthChunk, ...], end_hour: int) -> bytes:
    """The models of all 24 hours of the day, packed; nothing where too few hours are held to train on."""
    _, history = _read(chunks, end_hour)
    if history is None:
        return b""
    models = [model for back in range(HOURS_PER_DAY) if (model := train(history.until(history.end_hour - back))) is not None]
    return encode_models(models) if len(models) == HOURS_PER_DAY and all(model.days for model in models) else b""


def _series_as_of(chunks: tuple[MonthChunk, ...], cut: int) -> IntensitySeries | None:
    held, history = _read(chunks, cut)
    if history is None or cut - history.end_hour > LATE_HOURS:
        return None
    model = train(history)
    return _series(model, history, held, cut) if model is not None else None


def _series(model: Model, history: History, held: IntensitySeries, now_hour: int) -> IntensitySeries:
    """The outlook as a series, with what it was made from and how."""
    outlook = predict(model, history, now_hour + AHEAD_HOURS - history.end_hour)
    hours = len(outlook.g_per_kwh)
    return IntensitySeries(
        held.zone,
        held.signal,
        outlook.first_hour,
        outlook.g_per_kwh,
        outlook.low,
        outlook.high,
        np.full(hours, _FORECAST, np.uint8),
        np.zeros(hours, np.uint8),
        (_source(model, outlook, held, now_hour),),
    )


def _source(model: Model, outlook: Outlook, held: IntensitySeries, now_hour: int) -> Source:
    """Who forecast, from whose hours, how, and from which time."""
    recent = held.window(max(held.first_hour, held.end_hour - LOOK_BACK_HOURS), held.end_hour)
    is_told = (recent.quality != MISSING_CODE) & (recent.quality <= _TOLD)
    used = [recent.sources[index] for index in np.unique(recent.source[is_told])]
    newest = recent.sources[recent.source[is_told][-1]]
    licence = "; ".join(dict.fromkeys(source.licence for source in used))
    names = ", ".join(dict.fromkeys(source.provider for source in used))
    return Source(
        provider=PROVIDER,
        signal=held.signal,
        scope=newest.scope,
        licence=licence,
        attribution=f"Gridgram's forecast from hours of {names}: {newest.attribution}",
        fetched_at=hour_start(now_hour),
        detail=describe(model, outlook.first_hour),
    )


def describe(model: Model, origin: int) -> str:
    """One sentence on how a forecast was made."""
    if model.days:
        span = f"{format_hour(model.first_hour)} to {format_hour(model.end_hour)}"
        how = f"level trained: learnt from {model.days} days between {span}, method {model.method}"
    else:
        how = f"level blend: made from the last days without training, method {model.method}"
    error = model.mape_percent.get(model.method)
    lately = ""
    if error is not None and np.isfinite(error):
        lately = f"; its error over four days ahead was {error:.1f} % in the 28 days before {format_hour(model.end_hour)}"
    return f"Forecast from the hours before {format_hour(origin)}; {how}{lately}."
