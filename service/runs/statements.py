"""What is said to the database, once for SQLite and PostgreSQL: each piece of work is a generator that yields statements.

Whoever drives it runs each statement inside one transaction, sends its rows back, and commits at the end. Placeholders are `?`.
"""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any, Final

from gridgram.errors import Fault, InvalidInput
from gridgram.interval import format_time, from_microseconds
from gridgram.run_energy import Counting, Sample
from service.runs.records import SAME_START, Cursor, Entry, Kept, NewSample, Run, UnknownRun

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    Work = Generator[tuple[str, tuple[Any, ...]], Sequence[Sequence[Any]], Any]

ID_BYTES: Final = 16
LIKELY_POWER: Final = 10.0
"""Between two totals of one run the power is that of the run so far, at most so many times more or less."""

TABLES: Final = """
CREATE TABLE runs (
    owner TEXT NOT NULL, run TEXT NOT NULL, origin TEXT NOT NULL, started BIGINT NOT NULL, tracker TEXT NOT NULL, name TEXT NOT NULL,
    location TEXT NOT NULL, remarks TEXT NOT NULL, details TEXT NOT NULL, created_at BIGINT NOT NULL, seen_at BIGINT NOT NULL,
    prices TEXT NOT NULL, version BIGINT NOT NULL,
    PRIMARY KEY (owner, run)
);
CREATE INDEX runs_by_age ON runs (owner, created_at, run);
CREATE INDEX runs_by_origin ON runs (owner, origin, started);
CREATE INDEX runs_by_sight ON runs (seen_at);
CREATE TABLE samples (
    owner TEXT NOT NULL, run TEXT NOT NULL, natural_key TEXT NOT NULL, id TEXT NOT NULL, counting TEXT NOT NULL,
    start_us BIGINT NOT NULL, end_us BIGINT NOT NULL, kwh DOUBLE PRECISION NOT NULL, tracker_g DOUBLE PRECISION,
    details TEXT NOT NULL, received_at BIGINT NOT NULL,
    PRIMARY KEY (owner, run, natural_key)
);
CREATE INDEX samples_by_time ON samples (owner, run, end_us, kwh);
CREATE TABLE revisions (
    owner TEXT NOT NULL, run TEXT NOT NULL, version BIGINT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (owner, run, version)
)
"""

_BEFORE: Final = "(created_at < ? OR (created_at = ? AND run < ?))"
RUN_COLUMNS: Final = "owner, run, tracker, name, location, remarks, created_at, seen_at, prices, version"


def run_of(row: Sequence[Any]) -> Run:
    """A row of `RUN_COLUMNS` as a run."""
    owner, run, tracker, name, location, remarks, *rest = row
    return Run(owner, run, tracker, name, location, tuple(json.loads(remarks)), *rest)


def keep(entry: Entry) -> Work:
    """Keep an entry: its run unless it is there, and each sample unless it is there. Gives `Kept`."""
    run = entry.run or (yield from _known_by_origin(entry)) or secrets.token_hex(ID_BYTES)
    rows = yield "SELECT tracker, location, remarks FROM runs WHERE owner = ? AND run = ?", (entry.owner, run)
    if not rows and not entry.may_begin:
        raise UnknownRun(run)
    if not rows:
        yield from _begin(entry, run)
        rows = yield "SELECT tracker, location, remarks FROM runs WHERE owner = ? AND run = ?", (entry.owner, run)
    yield from _go_on(entry, run, rows[0])
    kept, new = [], 0
    for sample in entry.samples:
        sample_id, is_new = yield from _keep_sample(entry, run, sample)
        kept.append(sample_id)
        new += is_new
    return Kept(run, tuple(kept), new)


def _known_by_origin(entry: Entry) -> Work:
    """The run that a tracker goes on with though it does not name it, or None."""
    for sample in entry.samples:
        rows = yield (
            "SELECT run FROM samples s JOIN runs r USING (owner, run) WHERE owner = ? AND r.origin = ? AND s.natural_key = ? LIMIT 1",
            (entry.owner, entry.origin, sample.key),
        )
        if rows:
            return rows[0][0]
    rows = yield (
        "SELECT run FROM runs WHERE owner = ? AND origin = ? AND started BETWEEN ? AND ? ORDER BY created_at, run",
        (entry.owner, entry.origin, entry.started - SAME_START, entry.started + SAME_START),
    )
    for (run,) in rows:
        goes_on = True
        for sample in entry.samples:
            goes_on = goes_on and (yield from _goes_on(entry.owner, run, sample))
        if goes_on:
            return run
    return None


def _goes_on(owner: str, run: str, new: NewSample) -> Work:
    """Whether a total is the same counter some time later: it grew about as it did before."""
    rows = yield (
        "SELECT start_us, end_us, kwh FROM samples WHERE owner = ? AND run = ? ORDER BY end_us DESC, kwh DESC LIMIT 1",
        (owner, run),
    )
    if not rows:
        return True
    start, end, kwh = rows[0]
    grown_kwh, passed, mean = new.sample.kwh - kwh, new.sample.end - end, kwh / (end - start)
    if grown_kwh < 0 or passed < 0:
        return False
    return passed == 0 or mean / LIKELY_POWER <= grown_kwh / passed <= mean * LIKELY_POWER


def _begin(entry: Entry, run: str) -> Work:
    if entry.tracker == "energy" and not entry.location:
        raise InvalidInput([Fault("/location", "this run is not there yet; say where it runs with its first energy")])
    yield (
        "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            entry.owner,
            run,
            entry.origin,
            entry.started,
            entry.tracker,
            entry.name,
            entry.location,
            json.dumps(entry.remarks),
            entry.details,
            entry.received_at,
            entry.received_at,
            "",
            0,
        ),
    )


def _go_on(entry: Entry, run: str, row: Sequence[Any]) -> Work:
    """Note that a run was heard of; refuse what another kind of tracker or another place says of it."""
    tracker, location, told = row[0], row[1], json.loads(row[2])
    if tracker != entry.tracker:
        raise InvalidInput([Fault("", f"the run {run[:60]!r} is told by {tracker}; energy told by two would count twice")])
    if entry.location and location and entry.location != location and tracker == "energy":
        raise InvalidInput([Fault("/location", f"this run is at {location}; energy used elsewhere is another run")])
    remarks = [*entry.remarks]
    if entry.location and location and entry.location != location:
        remarks.append(f"A later record tells of {entry.location}; all energy is taken as used at {location}.")
    remarks = [*told, *(remark for remark in remarks if remark not in told)]
    yield (
        "UPDATE runs SET location = ?, remarks = ?, seen_at = ? WHERE owner = ? AND run = ?",
        (location or entry.location, json.dumps(remarks), entry.received_at, entry.owner, run),
    )


def _keep_sample(entry: Entry, run: str, new: NewSample) -> Work:
    """Keep one sample; gives its id, and whether it is new. Raises InvalidInput when it contradicts what is kept."""
    held = yield from _held_sample(entry.owner, run, new)
    if held:
        return held, False
    if new.counting is Counting.TOTAL:
        yield from _check_total(entry.owner, run, new.sample)
    sample_id = secrets.token_hex(ID_BYTES)
    row = entry.owner, run, new.key, sample_id, new.counting.value, *new.sample, new.details, entry.received_at
    yield "INSERT INTO samples VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row
    return sample_id, True


def _held_sample(owner: str, run: str, new: NewSample) -> Work:
    """The id of the sample that is kept under this key, or None. Raises InvalidInput when it says something else."""
    rows = yield (
        "SELECT id, start_us, end_us, kwh, details FROM samples WHERE owner = ? AND run = ? AND natural_key = ?",
        (owner, run, new.key),
    )
    for sample_id, start, end, kwh, details in rows:
        if not new.is_content and (start, end, kwh, details) != (*new.sample[:3], new.details):
            told = f"{kwh:g} kWh from {_text(start)} to {_text(end)}"
            raise InvalidInput([Fault("", f"another energy is recorded already under the same key: {told}; a record is never changed")])
        return sample_id
    return None


def _check_total(owner: str, run: str, sample: Sample) -> Work:
    rows = yield (
        "SELECT end_us, kwh FROM samples WHERE owner = ? AND run = ? AND ((end_us < ? AND kwh > ?) OR (end_us > ? AND kwh < ?)) LIMIT 1",
        (owner, run, sample.end, sample.kwh, sample.end, sample.kwh),
    )
    for end, kwh in rows:
        told = f"{kwh:g} kWh until {_text(end)}, now {sample.kwh:g} kWh until {_text(sample.end)}"
        raise InvalidInput([Fault("/energy_consumed", f"the total of this run fell: {told}; is this another run under the same id?")])


def runs(owner: str, before: Cursor | None, most: int) -> Work:
    """Rows of runs, newest first."""
    created_at, run = before or (2**62, "")
    rows = yield (
        f"SELECT {RUN_COLUMNS} FROM runs WHERE owner = ? AND {_BEFORE} ORDER BY created_at DESC, run DESC LIMIT ?",  # noqa: S608 - constants
        (owner, created_at, created_at, run, most),
    )
    return [run_of(row) for row in rows]


def run(owner: str, name: str) -> Work:
    """One run. Raises UnknownRun."""
    rows = yield f"SELECT {RUN_COLUMNS} FROM runs WHERE owner = ? AND run = ?", (owner, name)  # noqa: S608 - a constant
    if not rows:
        raise UnknownRun(name)
    return run_of(rows[0])


def samples(owner: str, name: str) -> Work:
    """All samples of a run."""
    rows = yield "SELECT counting, start_us, end_us, kwh, tracker_g FROM samples WHERE owner = ? AND run = ?", (owner, name)
    return [(Counting(row[0]), Sample(*row[1:])) for row in rows]


def revisions(owner: str, name: str) -> Work:
    """The revisions of a run, oldest first."""
    rows = yield "SELECT body FROM revisions WHERE owner = ? AND run = ? ORDER BY version", (owner, name)
    return [body for (body,) in rows]


def reprice(kept: Run, prices: str, revision: str | None) -> Work:
    """New prices, if nobody was quicker. Gives whether they are kept."""
    rows = yield (
        "UPDATE runs SET prices = ?, version = version + 1 WHERE owner = ? AND run = ? AND version = ? RETURNING version",
        (prices, kept.owner, kept.run, kept.version),
    )
    if rows and revision is not None:
        yield "INSERT INTO revisions VALUES (?, ?, ?, ?)", (kept.owner, kept.run, rows[0][0], revision)
    return bool(rows)


def seen_since(instant: int, most: int) -> Work:
    """Runs of all owners that told something since then."""
    rows = yield f"SELECT {RUN_COLUMNS} FROM runs WHERE seen_at >= ? ORDER BY seen_at DESC LIMIT ?", (instant, most)  # noqa: S608 - a constant
    return [run_of(row) for row in rows]


def _text(microseconds: int) -> str:
    return format_time(from_microseconds(microseconds))
