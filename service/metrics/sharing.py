"""The numbers of several processes of one service, by way of one small file each in a folder that they share.

Each writes its file once a second, whole or not at all. A process that has ended leaves its counters, so that no sum ever falls, and its
gauges count no more; the parent of all adds the counters of the ended into one file, so that the folder does not grow.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson

from service.metrics.counts import BUCKETS_SECONDS, Durations
from service.metrics.table import METRICS, Kind, Together

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from service.metrics.collect import Samples

PUBLISH_SECONDS: Final = 1.0
STALE_SECONDS: Final = 10.0
"""After so long without a new file a process counts as ended."""
ENDED: Final = "ended.sum"
REMEMBERED: Final = 100
"""Of so many ended processes it is known by name that their numbers are in the sum, for who has read their own file a moment before."""
_UNREADABLE: Final = (OSError, ValueError, TypeError, LookupError, AttributeError)


@dataclass(frozen=True, slots=True)
class Share:
    """This process' place in the folder of a service's processes."""

    folder: Path
    name: str = field(default_factory=lambda: f"{os.getpid()}-{time.time_ns()}")

    def publish(self, samples: Samples) -> None:
        """Let the others know this process' numbers."""
        with suppress(OSError):  # a full disk costs the others' view of this process, no more
            _write(self.folder / f"{self.name}.json", _told(samples))

    def others(self) -> Iterator[Samples]:
        """The numbers of the other processes."""
        found: dict[str, Samples] = {}
        for path in sorted(self.folder.glob("*.json")):
            if path.stem == self.name:
                continue
            with suppress(*_UNREADABLE):  # written by another version: not ours to read
                is_alive = time.time() - path.stat().st_mtime < STALE_SECONDS
                samples = _read(orjson.loads(path.read_bytes()))
                found[path.stem] = samples if is_alive else _lasting(samples)
        names, ended = _ended(self.folder)  # after the others: what was added meanwhile is known by name
        yield from (samples for name, samples in found.items() if name not in names)
        if ended:
            yield ended


def add_to_ended(folder: Path, pid: int) -> None:
    """Add what a process that has ended counted to the sum of the ended, and remove its files. For the one parent of all."""
    for path in folder.glob(f"{pid}-*.json"):
        with suppress(*_UNREADABLE):  # then its file stays, and is read as before
            names, ended = _ended(folder)
            if path.stem not in names:
                together = merged([ended, _lasting(_read(orjson.loads(path.read_bytes())))])
                _write(folder / ENDED, {"names": [*names, path.stem][-REMEMBERED:], "counted": _told(together)})
            path.unlink()
    for path in folder.glob(f"{pid}-*.new"):
        path.unlink(missing_ok=True)


def _ended(folder: Path) -> tuple[list[str], Samples]:
    """The names of the processes that have ended lately, and what all that have ended counted."""
    try:
        told = orjson.loads((folder / ENDED).read_bytes())
        return [str(name) for name in told["names"]], _read(told["counted"])
    except _UNREADABLE:
        return [], {}


def _lasting(samples: Samples) -> Samples:
    return {name: held for name, held in samples.items() if METRICS[name].kind is not Kind.GAUGE}


def _told(samples: Samples) -> dict[str, Any]:
    return {
        name: [[list(labels), asdict(number) if isinstance(number, Durations) else number] for labels, number in values.items()]
        for name, values in samples.items()
    }


def _write(path: Path, told: dict[str, Any]) -> None:
    unfinished = path.with_suffix(".new")
    unfinished.write_bytes(orjson.dumps(told))
    unfinished.replace(path)


def _read(told: dict[str, list[Any]]) -> Samples:
    return {
        name: {tuple(labels): Durations(**number) if isinstance(number, dict) else float(number) for labels, number in values}
        for name, values in told.items()
        if name in METRICS
    }


def merged(of_each: Iterable[Samples]) -> Samples:
    """One set of numbers for several processes, as METRICS says of each."""
    merged: Samples = {}
    for samples in of_each:
        for name, values in samples.items():
            held = merged.setdefault(name, {})
            for labels, number in values.items():
                held[labels] = _together(METRICS[name].together, held.get(labels), number)
    return merged


def _together(how: Together, one: float | Durations | None, other: float | Durations) -> float | Durations:
    if one is None:
        return other
    if isinstance(one, Durations) and isinstance(other, Durations) and len(one.buckets) == len(other.buckets) == len(BUCKETS_SECONDS) + 1:
        buckets = [mine + theirs for mine, theirs in zip(one.buckets, other.buckets, strict=True)]
        return Durations(buckets, one.seconds + other.seconds)
    if isinstance(one, Durations) or isinstance(other, Durations):
        return one
    match how:
        case Together.SUM:
            return one + other
        case Together.MOST:
            return max(one, other)
        case Together.LEAST:
            return min(one, other)
