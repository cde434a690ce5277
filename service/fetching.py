"""When to ask which source for which hours, so that the store comes to hold them.

Days are the unit of asking. A day whose hours are all measured is left alone; one of which something is missing or may still change is
asked for again after a while (`service.freshness`). The first source of a zone and signal may better its own hours, the others only
fill in what it did not tell. All who need the same days of a zone cause one fetch: the callers of a process join the flight that is
under way, and processes that share the store take turns (`service.asking`).
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import structlog

from gridgram.interval import HOURS_PER_DAY, hour_of
from gridgram.quality import QUALITY_CODES, Quality
from providers.chain import Candidate, candidates
from providers.spending import SPENDER, is_spent
from service.asked import FOR_EVER, NEVER
from service.asking import TOLD, Asker, Errand, key_digest
from service.freshness import end_of_told, is_early

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from gridgram.quality import Told
    from gridgram.zones import Zone
    from providers.base import Provider
    from providers.engine import Engine
    from providers.spending import Spender
    from service.asking import Shelf

log = structlog.get_logger()

REMEMBERED_DAYS: Final = 100_000
_MEASURED = QUALITY_CODES[Quality.MEASURED]


@dataclass(frozen=True, slots=True)
class Flight:
    """A fetch under way: of which days, the task that ends in time and without ever raising, and whose key its calls count against."""

    days: frozenset[int]
    task: asyncio.Task[None]
    spender: Spender | None = None


@dataclass(slots=True)
class Fetcher:
    """Fills the store from the sources. `why_off` tells why a source is not used, "" when it is; `order` is the operator's.

    `seconds` bounds one flight, waiting for others included; `chance` draws evenly from [0, 1). Belongs to one event loop. Counts, since
    the start: `flights` begun, `joined` by callers who found one under way, `early` ones before their time.
    """

    engine: Engine
    providers: Mapping[str, Provider]
    why_off: Callable[[Provider], str]
    clock: Callable[[], datetime]
    seconds: float
    order: Sequence[str] = ()
    chance: Callable[[], float] = random.random
    flights: int = 0
    joined: int = 0
    early: int = 0
    asker: Asker = field(init=False)
    _chains: dict[tuple[str, Told], list[Candidate]] = field(default_factory=dict)
    _usable: dict[tuple[str, Told], list[Provider]] = field(default_factory=dict)
    _quiet_until: OrderedDict[tuple[str, Told, int], float] = field(default_factory=OrderedDict)
    _took_seconds: dict[str, float] = field(default_factory=dict)
    _under_way: dict[tuple[str, Told], list[Flight]] = field(default_factory=dict)
    _turns: dict[str, asyncio.Lock] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.asker = Asker(self.engine, self.clock, self.usable)

    def candidates(self, zone: str, signal: Told) -> list[Candidate]:
        """The sources of a zone's signal or mix, in the order of asking, those that are refused included."""
        chain = self._chains.get((zone, signal))
        if chain is None:
            chain = self._chains[zone, signal] = candidates(zone, signal, self.providers.values(), self.why_off, self.order)
        return chain

    def usable(self, zone: str, signal: Told) -> list[Provider]:
        """The sources that are asked for a zone's signal or mix."""
        usable = self._usable.get((zone, signal))
        if usable is None:
            usable = [candidate.provider for candidate in self.candidates(zone, signal) if candidate.may_answer]
            self._usable[zone, signal] = usable
        return usable

    def is_answering(self, zone: str, signal: Told) -> bool:
        """Whether one of the sources is worth waiting for: it did not fail the last time."""
        return any(not self.engine.health_of(provider).failures_in_a_row for provider in self.usable(zone, signal))

    def told_span(self, zone: str, signal: Told) -> tuple[int, int]:
        """The hours [first, end) that the sources can have told of by now, for all that they say of themselves."""
        now, sources = self.clock(), self.usable(zone, signal)
        first = min((hour_of(source.history_from) if source.history_from else 0 for source in sources), default=0)
        return first, max((end_of_told(source, now) for source in sources), default=0)

    def due_at(self, zone: str, signal: Told, first_hour: int, end_hour: int) -> float:
        """When a source may have something new for the first day of the span; never where none is asked. [monotonic s]"""
        if not self.usable(zone, signal):
            return FOR_EVER
        quiet_until = self._quiet_until
        return min([quiet_until.get((zone, signal, day), NEVER) for day in _days(first_hour, end_hour)], default=FOR_EVER)

    def is_early(self, zone: str, due_at: float, now: float) -> bool:
        """Whether this caller is to refresh hours before they are due, by chance; mostly not."""
        took = self._took_seconds.get(zone)
        return took is not None and due_at < FOR_EVER and is_early(due_at, now, took, 1.0 - self.chance())

    def forget(self) -> None:
        """Ask for everything anew: what was fetched may not have been kept."""
        self._quiet_until.clear()
        self.asker.asked.forget()

    def look_into(self, zone: str, signal: Told, first_hour: int, end_hour: int) -> None:
        """Look into the days anew, because the store holds nothing of them: what was fetched of them may be lost."""
        for day in _days(first_hour, end_hour):
            self._quiet_until.pop((zone, signal, day), None)

    def heed(self, pauses: Mapping[str, float]) -> None:
        """Leave sources alone that told another process to wait; each for so many seconds more."""
        for name, seconds in pauses.items():
            source, _, key = name.partition("/")
            provider = self.providers.get(source)
            if provider is not None and (not key or key == key_digest(self.engine, provider)):
                self.engine.health_of(provider).heed(time.monotonic(), seconds)

    def flight(self, zone: Zone, signal: Told, hours: range, due_by: float, shelf: Shelf) -> Flight:
        """The flight that brings those days of these hours that are due until then [monotonic s]: the one under way, or a new one."""
        under_way = self._under_way.setdefault((zone.key, signal), [])
        wanted = frozenset(self._due(zone.key, signal, _days(hours.start, hours.stop), due_by))
        for flight in under_way:
            # One that counts against another's key may end before it is done, when that has no call left.
            if wanted <= flight.days and (flight.spender is None or flight.spender is SPENDER.get()):
                self.joined += 1
                return flight
        self.flights += 1
        now = time.monotonic()
        self.early += due_by > now
        errand = Errand(zone, signal, shelf, due_by, now + self.seconds)
        flight = Flight(wanted, asyncio.create_task(self._fly(errand, sorted(wanted))), SPENDER.get())
        under_way.append(flight)
        flight.task.add_done_callback(lambda _: under_way.remove(flight))
        return flight

    async def close(self) -> None:
        """End the flights and let go of the sources."""
        tasks = [flight.task for flights in self._under_way.values() for flight in flights]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.engine.close()

    async def _fly(self, errand: Errand, days: Sequence[int]) -> None:
        turn = self._turns.setdefault(errand.zone.key, asyncio.Lock())
        try:
            async with asyncio.timeout(errand.seconds):
                await turn.acquire()
        except TimeoutError:
            return
        try:
            await self._fill(errand, days)
        except Exception:
            log.exception("fetch.crashed", zone=errand.zone.key, signal=errand.signal)  # what is held still answers
        finally:
            turn.release()

    async def _fill(self, errand: Errand, days: Sequence[int]) -> None:
        """Ask the sources, in order, for what is missing or may have changed, and note when each day is next worth asking for."""
        zone, signal = errand.zone.key, errand.signal
        if is_spent():
            return
        due = self._due(zone, signal, days, errand.due_by)
        if not due:
            return
        started, fetches = time.monotonic(), self.asker.fetches
        await errand.shelf.look_again()
        again = dict.fromkeys(due, FOR_EVER)
        for place, provider in enumerate(self.usable(zone, signal)):
            for day, until in (await self.asker.ask(provider, errand, due, TOLD if place else _MEASURED)).items():
                again[day] = min(again[day], until)
        for day, until in again.items():
            self._quiet_until[zone, signal, day] = until
            self._quiet_until.move_to_end((zone, signal, day))
        while len(self._quiet_until) > REMEMBERED_DAYS:
            self._quiet_until.popitem(last=False)
        if self.asker.fetches > fetches:
            self._took_seconds[zone] = time.monotonic() - started

    def _due(self, zone: str, signal: Told, days: Iterable[int], due_by: float) -> list[int]:
        return [day for day in days if self._quiet_until.get((zone, signal, day), NEVER) <= due_by]


def _days(first_hour: int, end_hour: int) -> range:
    return range(first_hour // HOURS_PER_DAY, (end_hour - 1) // HOURS_PER_DAY + 1)
