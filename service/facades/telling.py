"""What the facades share in answering: stamps as clients parse them, what counts as estimated, and how long an answer stays true."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from gridgram.interval import hour_of, parse_time
from gridgram.quality import Quality

if TYPE_CHECKING:
    from datetime import datetime

    from gridgram.quality import Told
    from service.usecases import Gridgram

MEASURED: Final = frozenset({Quality.GIVEN.value, Quality.MEASURED.value})
"""What is not estimated in any way; preliminary hours are still to be revised by their source."""
LEAST_SECONDS: Final = 15
MOST_SECONDS: Final = 3_600


def stamp(instant: datetime | str) -> str:
    """An instant as clients parse it: with milliseconds and Z."""
    moment = parse_time(instant) if isinstance(instant, str) else instant
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def is_estimated(quality: str) -> bool:
    """Whether an hour of this quality is anything but measured."""
    return quality not in MEASURED


def fresh_seconds(gridgram: Gridgram, zone: str, signal: Told) -> int:
    """For how long the newest hour stays the newest: until a source may have another, or until the present hour ends. [s]"""
    now = gridgram.now()
    seconds = float(MOST_SECONDS - now.minute * 60 - now.second)
    if fetcher := gridgram.intensity.fetcher:
        present = hour_of(now)
        seconds = min(seconds, fetcher.due_at(zone, signal, present - 1, present + 1) - time.monotonic())
    return int(max(LEAST_SECONDS, seconds))
