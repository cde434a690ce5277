"""CodeCarbon's records as entries: its HTTP output tells totals, its API output what is new.

Its energy has the PUE in it. Totals carry a wall-clock time without offset, made just before they are sent: the offset is the one in use
somewhere that makes it the present. Where none does, the time is taken as UTC, and the run says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import orjson

from gridgram.errors import Fault, InvalidInput
from gridgram.interval import HORIZON, check_range, from_microseconds, parse_time, to_microseconds
from gridgram.run_energy import Counting, Sample
from gridgram.units import g_from_kg
from service.runs.places import Told
from service.runs.records import Entry, NewSample

if TYPE_CHECKING:
    from datetime import datetime

    from service.runs.places import Places
    from service.runs.requests import CodeCarbonDelta, CodeCarbonRun, CodeCarbonTotal

TOTALS, DELTAS = "codecarbon-http", "codecarbon-api"
SECOND: Final = 1_000_000
SHORTEST: Final = SECOND
"""A record that lasted less is laid on one second: it has energy, and energy needs time. [microseconds]"""
MAX_RECORD_BYTES: Final = 16 * 1024
OFFSETS_MINUTES: Final = (*(60 * hours for hours in range(-12, 15)), -210, -150, 210, 270, 330, 345, 390, 525, 570, 630, 765)
"""Offsets from UTC in use, whole hours first (IANA time zones, 2025)."""
PROMPT: Final = 60 * SECOND
"""A record that comes in is at most so old or so far ahead, by a clock that runs right. [microseconds]"""
UNNAMED: Final = (
    "CodeCarbon named no run, as it does when its API output is on too: the same energy may stand under another run. "
    "Records are one run when they tell of one machine, project, user and start."
)
NO_OFFSET: Final = "Times came without an offset and match no clock in use now; they are taken as UTC."


@dataclass(frozen=True, slots=True)
class Brought:
    """A record as it came in: by whose key, with which place in the URL (or ""), as which JSON, and when."""

    owner: str
    location: str
    raw: dict[str, Any]
    now: datetime


def total_entry(total: CodeCarbonTotal, brought: Brought, places: Places) -> Entry:
    """An entry of what the HTTP output posts. Raises InvalidInput for a time that is none."""
    received_at = to_microseconds(brought.now)
    end, remarks = _wall_time(total.timestamp, received_at)
    sample = _sample(end, total.duration, total.energy_consumed, total.emissions)
    told_on_cloud = total.on_cloud != "N"
    told = Told(
        total.country_iso_code or "",
        total.region or "",
        (total.cloud_provider or "") if told_on_cloud else "",
        (total.cloud_region or "") if told_on_cloud else "",
        total.latitude,
        total.longitude,
    )
    place, place_remark = (brought.location, "") if brought.location else places.of(told)
    run = _run_id(total.run_id)
    machine = [total.project_name, total.experiment_id, total.user, total.os, total.cpu_model, total.gpu_model]
    return Entry(
        owner=brought.owner,
        run=run,
        tracker=TOTALS,
        received_at=received_at,
        samples=(NewSample(_key(total.timestamp, sample, total.duration), Counting.TOTAL, sample, _text(brought.raw), is_content=True),),
        origin=_digest(TOTALS, machine),
        started=sample.start,
        name=(total.project_name or "")[:200],
        location=place,
        remarks=tuple(filter(None, (*remarks, place_remark, "" if run else UNNAMED))),
    )


def begun_entry(begun: CodeCarbonRun, brought: Brought, places: Places) -> Entry:
    """An entry of the run that the API output begins: the same again is the same run. Raises InvalidInput."""
    started = _instant(begun.timestamp, brought.now)
    told = Told(cloud=begun.provider or "", cloud_region=begun.region or "", latitude=begun.latitude, longitude=begun.longitude)
    place, remark = (brought.location, "") if brought.location else places.of(told)
    return Entry(
        owner=brought.owner,
        run="",
        tracker=DELTAS,
        received_at=to_microseconds(brought.now),
        origin=_digest(DELTAS, brought.raw),
        started=started,
        location=place,
        remarks=(remark,) if remark else (),
        details=_text(brought.raw),
    )


def delta_entry(delta: CodeCarbonDelta, brought: Brought) -> Entry:
    """An entry of what the API output posts then; its run must be there. Raises InvalidInput."""
    sample = _sample(_instant(delta.timestamp, brought.now), delta.duration, delta.energy_consumed, delta.emissions_sum)
    new = NewSample(_key(delta.timestamp, sample, delta.duration), Counting.DELTA, sample, _text(brought.raw), is_content=True)
    run = _run_id(delta.run_id) or delta.run_id
    return Entry(owner=brought.owner, run=run, tracker=DELTAS, received_at=to_microseconds(brought.now), samples=(new,), may_begin=False)


def _run_id(text: str | None) -> str:
    """A UUID as 32 digits; empty for what is none, such as the text None."""
    try:
        return UUID(text).hex if text else ""
    except ValueError:
        return ""


def _sample(end: int, duration_seconds: float, kwh: float, emissions_kg: float | None) -> Sample:
    duration = max(SHORTEST, round(duration_seconds * SECOND))
    return Sample(end - duration, end, kwh or 0.0, None if emissions_kg is None else g_from_kg(emissions_kg))


def _instant(text: str, now: datetime) -> int:
    try:
        return to_microseconds(check_range(parse_time(text), now))
    except ValueError as error:
        raise InvalidInput([Fault("/timestamp", str(error))]) from None


def _wall_time(text: str, received_at: int) -> tuple[int, tuple[str, ...]]:
    """An instant that may lack its offset, and what is to be told of that."""
    now = from_microseconds(received_at)
    try:
        return to_microseconds(check_range(parse_time(text), now)), ()
    except ValueError:
        stamp = _instant(f"{text}Z", from_microseconds(received_at) + HORIZON)  # refused when it is no time at all
    for minutes in OFFSETS_MINUTES:
        instant = stamp - minutes * 60 * SECOND
        if abs(instant - received_at) <= PROMPT:
            sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
            return instant, (f"Times came without an offset; they were the present at {sign}{hours:02d}:{rest:02d}, and are taken so.",)
    return _instant(f"{text}Z", now), (NO_OFFSET,)


def _key(timestamp: str, sample: Sample, duration_seconds: float) -> str:
    """By what the same record is known again: what it says, not when it came."""
    return _digest(timestamp, [duration_seconds, sample.kwh, sample.tracker_g])


def _digest(kind: str, members: Any) -> str:  # noqa: ANN401 - JSON
    return sha256(kind.encode() + orjson.dumps(members, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _text(raw: dict[str, Any]) -> str:
    """What came, as it is kept for good. Raises InvalidInput for more than any tracker has to say."""
    text = orjson.dumps(raw)
    if len(text) > MAX_RECORD_BYTES:
        raise InvalidInput([Fault("", f"the record has {len(text)} bytes; CodeCarbon's have some 1,200, and {MAX_RECORD_BYTES} are kept")])
    return text.decode()
