"""What was written and what was read, with times, and a checker that tells what of it can never have been right."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.faults.truth import Cell


@dataclass(frozen=True, slots=True)
class Write:
    """One writer's import of one revision of all its hours; `is_known`: it was told that it is done. [s of one clock]"""

    writer: int
    revision: int
    began: float
    ended: float
    is_known: bool


@dataclass(frozen=True, slots=True)
class Read:
    """One hour of one answer of one process; `revision` is None where what stands in for it was answered. [s of the same clock]"""

    process: str
    cell: Cell
    revision: int | None
    began: float
    ended: float


def unborn(writes: Iterable[Write], reads: Iterable[Read], writer_of: dict[Cell, int]) -> list[Read]:
    """Reads of a revision that nobody had begun to write by then."""
    began = {(write.writer, write.revision): write.began for write in writes}
    return [
        read
        for read in reads
        if read.revision is not None and read.revision and began.get((writer_of[read.cell], read.revision), float("inf")) > read.ended
    ]


def backwards(reads: Iterable[Read]) -> list[tuple[Read, Read]]:
    """Pairs of reads of a process and hour where the later one, begun after the other had ended, is of an older revision."""
    found: list[tuple[Read, Read]] = []
    for of_one in _by_process_and_cell(reads).values():
        ended = sorted(of_one, key=lambda read: read.ended)
        newest: list[Read] = []
        for read in ended:
            newest.append(max(newest[-1], read, key=_revision) if newest else read)
        ends = [read.ended for read in ended]
        for read in of_one:
            place = bisect_left(ends, read.began)
            if place and _revision(newest[place - 1]) > _revision(read):
                found.append((newest[place - 1], read))
    return found


def _revision(read: Read) -> int:
    assert read.revision is not None
    return read.revision


def _by_process_and_cell(reads: Iterable[Read]) -> dict[tuple[str, Cell], list[Read]]:
    told: dict[tuple[str, Cell], list[Read]] = defaultdict(list)
    for read in reads:
        if read.revision is not None:
            told[read.process, read.cell].append(read)
    return told


def last_known(writes: Sequence[Write], writer: int) -> Write:
    """The newest revision of a writer of which it was told that it is done."""
    return max((write for write in writes if write.writer == writer and write.is_known), key=lambda write: write.revision)
