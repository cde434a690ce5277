"""What is done with runs: records are kept at once, and priced when somebody asks or the follower comes round."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import structlog

from gridgram.errors import Fault, GridgramError, InvalidInput
from gridgram.interval import MICROSECONDS_PER_HOUR, to_microseconds
from gridgram.run_energy import Counting, Sample
from gridgram.units import kwh_from_w_hours
from service.requests import FlatEnergy, IntervalEnergy, PowerEnergy, SteppedEnergy, check_span
from service.runs.codecarbon import Brought, begun_entry, delta_entry, total_entry
from service.runs.figures import priced
from service.runs.packing import unpack_revision
from service.runs.places import Places
from service.runs.records import Cursor, Entry, NewSample
from service.runs.requests import MAX_RUN_STEPS
from service.runs.telling import summary, whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.requests import Energy
    from service.runs.answers import BegunAnswer, KeptAnswer, RunAnswer, RunsAnswer
    from service.runs.figures import Priced, Reader
    from service.runs.records import Records, Run
    from service.runs.requests import CodeCarbonDelta, CodeCarbonRun, CodeCarbonTotal, RunEnergyRequest, RunsQuery
    from service.usecases import Gridgram

log = structlog.get_logger()

FOLLOW_SECONDS: Final = 600.0
"""How often runs are priced anew by themselves, so that their history tells when hours came though nobody asks. [s]"""
FOLLOW_DAYS: Final = 60
"""So long after its last word a run is followed: sources mend their hours for some weeks. [d]"""
FOLLOW_RUNS: Final = 1_000
CLAIM: Final = "runs.follow"
TOLD_RUNS: Final = 20
"""Runs that the metrics tell of, those looked at last; more would be more time series than anybody reads."""
US_PER_DAY: Final = 86_400_000_000
TRACKER: Final = "energy"


@dataclass(slots=True)
class Runs:
    """All that is done with runs, over the records. Belongs to one event loop. Counts since the start, by tracker."""

    gridgram: Gridgram
    records: Records
    follow_seconds: float = FOLLOW_SECONDS
    kept: dict[str, int] = field(default_factory=dict)
    repeated: dict[str, int] = field(default_factory=dict)
    told: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)
    """kWh and gCO2e of the runs that were priced last."""
    places: Places = field(init=False)

    def __post_init__(self) -> None:
        self.places = Places(self.gridgram.locator)

    async def keep_total(self, total: CodeCarbonTotal, raw: dict[str, Any], owner: str, location: str | None) -> KeptAnswer:
        """Keep what CodeCarbon's HTTP output posts. Raises UnknownLocation for a place in the URL that there is not."""
        return await self._keep(total_entry(total, self._brought(raw, owner, location), self.places))

    async def begin(self, begun: CodeCarbonRun, raw: dict[str, Any], owner: str, location: str | None) -> BegunAnswer:
        """Keep that a run of CodeCarbon's API output begins."""
        kept = await self.records.keep(begun_entry(begun, self._brought(raw, owner, location), self.places))
        return {"id": str(UUID(kept.run))}

    async def keep_delta(self, delta: CodeCarbonDelta, raw: dict[str, Any], owner: str) -> KeptAnswer:
        """Keep what CodeCarbon's API output posts then. Raises UnknownRun."""
        return await self._keep(delta_entry(delta, self._brought(raw, owner, None)))

    async def keep_energy(self, name: str, request: RunEnergyRequest, owner: str, idempotency_key: str) -> KeptAnswer:
        """Keep energy from any tracker. Raises InvalidInput and UnknownLocation."""
        now = to_microseconds(self.gridgram.now())
        entry = Entry(
            owner=owner,
            run=run_id(name),
            tracker=TRACKER,
            received_at=now,
            samples=tuple(_new_samples(request, idempotency_key)),
            name=request.name or "",
            location=self._checked(request.location),
        )
        return await self._keep(entry)

    async def run(self, name: str, owner: str, step: str) -> RunAnswer:
        """One run over time. Raises UnknownRun."""
        run = await self.records.run(owner, run_id(name))
        found = await self._priced(run, self.gridgram.intensity.read)
        revisions = [unpack_revision(text) for text in await self.records.revisions(owner, run.run)]
        return await asyncio.to_thread(whole, found, step, revisions)

    async def page(self, query: RunsQuery, owner: str) -> RunsAnswer:
        """A page of runs, newest first, from hours that are held: nobody waits for the sources of many places.

        Raises InvalidInput for a cursor that is none.
        """
        runs = await self.records.runs(owner, _cursor(query.after), query.limit + 1)
        shown = runs[: query.limit]
        answer: RunsAnswer = {"runs": [summary(await self._priced(run, self.gridgram.intensity.read_at_once)) for run in shown]}
        if len(runs) > len(shown):
            answer["next"] = f"{shown[-1].created_at}-{shown[-1].run}"
        return answer

    async def close(self) -> None:
        """Finish what is under way."""
        await self.records.close()

    async def follow(self) -> None:
        """Price the runs in use anew, for as long as the service runs; of processes that share a store one at a time does."""
        while True:
            await asyncio.sleep(self.follow_seconds)
            try:
                if await self.gridgram.intensity.store.claim(CLAIM, self.follow_seconds / 2):
                    await self.follow_once()
            except GridgramError as error:
                log.warning("runs.not_followed", detail=str(error))
            except Exception:
                log.exception("runs.not_followed")

    async def follow_once(self) -> None:
        """Price the runs that told something in the last weeks anew."""
        since = to_microseconds(self.gridgram.now()) - FOLLOW_DAYS * US_PER_DAY
        for run in await self.records.seen_since(since, FOLLOW_RUNS):
            await self._priced(run, self.gridgram.intensity.read)

    async def _priced(self, run: Run, read: Reader) -> Priced:
        found = await priced(self.gridgram, self.records, run, read)
        self.told[run.run] = found.energy.total_kwh, found.figure.emissions_g
        self.told.move_to_end(run.run)
        while len(self.told) > TOLD_RUNS:
            self.told.popitem(last=False)
        return found

    async def _keep(self, entry: Entry) -> KeptAnswer:
        kept = await self.records.keep(entry)
        self.kept[entry.tracker] = self.kept.get(entry.tracker, 0) + kept.new
        self.repeated[entry.tracker] = self.repeated.get(entry.tracker, 0) + len(kept.samples) - kept.new
        return {"id": kept.samples[0], "run_id": str(UUID(kept.run)), "new_samples": kept.new}

    def _brought(self, raw: dict[str, Any], owner: str, location: str | None) -> Brought:
        return Brought(owner, self._checked(location), raw, self.gridgram.now())

    def _checked(self, location: str | None) -> str:
        """A location that the caller names; one that there is not is told at once."""
        if location is None:
            return ""
        if location[:4].lower() != "geo:":  # the first point loads the shapes; it is looked at when the run is read
            self.gridgram.locator.resolve(location)
        return location


def run_id(text: str) -> str:
    """The id of a run, a UUID, as 32 digits. Raises InvalidInput."""
    try:
        if len(text) in {32, 36}:
            return UUID(text).hex
    except ValueError:
        pass
    raise InvalidInput([Fault("/id", f"{text[:60]!r} is no UUID; write it like 5b0fa12a-3dd7-45bb-9766-cc326314d9f1")])


def _new_samples(request: RunEnergyRequest, idempotency_key: str) -> Iterator[NewSample]:
    samples = list(_samples(request.energy))
    check_span(min(sample.start for sample in samples), max(sample.end for sample in samples), "/energy")
    whole_kwh = sum(sample.kwh for sample in samples)
    said = sha256(repr(samples).encode()).hexdigest() if idempotency_key else ""  # the same key with more or fewer steps is not the same
    for number, sample in enumerate(samples):
        share = sample.kwh / whole_kwh if whole_kwh else 1 / len(samples)
        tracker_g = None if request.tracker_emissions_g is None else request.tracker_emissions_g * share
        key = f"key {sha256(idempotency_key.encode()).hexdigest()} {number}" if idempotency_key else f"span {sample.start} {sample.end}"
        yield NewSample(key, Counting.DELTA, sample._replace(tracker_g=tracker_g), said)


def _samples(energy: Energy) -> Iterator[Sample]:
    """The steps of energy of any form. Raises InvalidInput for too many of them, and for intervals that overlap."""
    match energy:
        case FlatEnergy():
            check_span(energy.start, energy.end, "/energy")
            yield Sample(energy.start, energy.end, energy.total_kwh or 0.0)
        case IntervalEnergy():
            _check_steps(len(energy.intervals))
            try:
                energy.profile()
            except ValueError as error:
                raise InvalidInput([Fault("/energy", str(error))]) from None
            yield from (Sample(part.start, part.end, part.kwh or 0.0) for part in energy.intervals)
        case SteppedEnergy():
            _check_steps(len(energy.kwh))
            for number, kwh in enumerate(energy.kwh):
                yield Sample(energy.start + number * energy.step, energy.start + (number + 1) * energy.step, kwh or 0.0)
        case PowerEnergy():
            _check_steps(len(energy.power_w))
            hours = energy.step / MICROSECONDS_PER_HOUR
            for number, power_w in enumerate(energy.power_w):
                start = energy.start + number * energy.step
                yield Sample(start, start + energy.step, kwh_from_w_hours(power_w or 0.0, hours))


def _check_steps(steps: int) -> None:
    if steps > MAX_RUN_STEPS:
        raise InvalidInput([Fault("/energy", f"there are {steps} steps; one request to a run has at most {MAX_RUN_STEPS}: split it")])


def _cursor(text: str | None) -> Cursor | None:
    if text is None:
        return None
    created_at, _, run = text.partition("-")
    if not (created_at.isascii() and created_at.isdigit() and len(created_at) <= 18 and run.isalnum()):  # noqa: PLR2004 - of 64 bits
        raise InvalidInput([Fault("/after", "this is no `next` of a page of runs; leave it out for the first page")])
    return Cursor(int(created_at), run)
