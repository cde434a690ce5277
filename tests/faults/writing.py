"""A process that imports one revision after another of its hours, and tells what it did.

    python -m tests.faults.writing URL NUMBER WRITERS FILE

Each line that it prints is a write: revision, begin, end [s of the system's monotonic clock], and whether it was told that it is done.
It ends with the next write when its input is closed. The writers share the months: of three writers each has every third hour.
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


async def write(url: str, number: int, writers: int, path: Path) -> None:
    """Write until nobody listens any more."""
    revision = 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        revision += 1
        write_rows(path, cells_of(number, writers), revision)
        began, is_known = time.monotonic(), False
        with contextlib.suppress(StoreError):
            await import_rows(url, path, ANSWER_SECONDS)
            is_known = True
        sys.stdout.write(f"{revision} {began} {time.monotonic()} {int(is_known)}\n")
        sys.stdout.flush()
        await asyncio.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    asyncio.run(write(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])))
