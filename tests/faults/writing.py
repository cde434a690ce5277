"""A process that imports one revision after another of its hours, and tells what it did.

    python -m tests.faults.writing URL NUMBER WRITERS FILE REVISION

It begins with the revision, and prints a line when it begins to write one and a line when that has ended, with the time [s of the
system's monotonic clock] and whether it was told that it is done. It ends with the next write when something is written to its input.
The writers share the months: each of three writers has every third hour.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import sys
import time
from pathlib import Path

from gridgram.errors import StoreError
from tests.faults.truth import CELLS, MONTHS, ZONES, Cell, import_rows, write_rows

WRITTEN = [cell for cell in CELLS if cell[0] in ZONES[:3] and MONTHS[0].first_hour <= cell[1] < MONTHS[1].next.first_hour]
"""Two months of three zones are written again and again."""
ANSWER_SECONDS = 0.25
PAUSE_SECONDS = 0.02


def cells_of(number: int, writers: int) -> list[Cell]:
    """The hours of a writer."""
    return WRITTEN[number::writers]


async def write(url: str, number: int, writers: int, path: Path, revision: int) -> None:
    """Write until told to end."""
    while not select.select([sys.stdin], [], [], 0)[0]:
        write_rows(path, cells_of(number, writers), revision)
        tell("began", revision)
        is_known = False
        with contextlib.suppress(StoreError):
            await import_rows(url, path, ANSWER_SECONDS)
            is_known = True
        tell("done" if is_known else "failed", revision)
        revision += 1
        await asyncio.sleep(PAUSE_SECONDS)


def tell(what: str, revision: int) -> None:
    """Print a line, now."""
    sys.stdout.write(f"{what} {revision} {time.monotonic()}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(write(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]), int(sys.argv[5])))
