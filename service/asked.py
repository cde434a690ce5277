"""Which days a source was asked for, and until when asking again is idle: remembered here, and told to all who share the store.

What a source does not have is remembered as well as what it told, so that neither a second process nor a restart asks for it again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable

REMEMBERED_DAYS: Final = 5_000
"""Of one source and zone; past that, those that are over first are forgotten first."""
LONGEST_SECONDS: Final = 25 * 3_600.0
"""Nothing holds for longer: a time beyond was written by a process whose clock is wrong."""
ROUNDING_SECONDS: Final = 2.0
"""Others tell whole seconds of another clock: so much later is no news."""

NEVER: Final = float("-inf")
FOR_EVER: Final = float("inf")


class Answered(NamedTuple):
    """A day that was asked for: until when asking again is idle [monotonic s], and of which signals the source told hours (a bit each)."""

    until: float
    told: int


UNASKED: Final = Answered(NEVER, 0)


@dataclass(slots=True)
class Asked:
    """The days that were asked for, by source and zone."""

    _days: dict[tuple[str, str], dict[int, Answered]] = field(default_factory=dict)

    def of(self, provider: str, zone: str, day: int) -> Answered:
        """What is known of a day."""
        return self._days.get((provider, zone), {}).get(day, UNASKED)

    def note(self, provider: str, zone: str, day: int, answered: Answered) -> None:
        """Remember a day."""
        days = self._days.setdefault((provider, zone), {})
        days[day] = answered
        if len(days) > REMEMBERED_DAYS:
            del days[min(days, key=lambda old: days[old].until)]

    def forget(self) -> None:
        """Forget everything."""
        self._days.clear()

    def packed(self, provider: str, zone: str, now: float, wall_now: float) -> tuple[bytes, float]:
        """The days of a source and zone that still hold, for others to learn, and how long the last of them holds. [s]

        `now` is monotonic and this process's own, `wall_now` is seconds since 1970: only that means anything to others.
        """
        holding = {day: answered for day, answered in self._days.get((provider, zone), {}).items() if answered.until > now}
        rows: list[list[int]] = []
        for day, answered in sorted(holding.items()):
            until = int(wall_now + answered.until - now)
            if rows and rows[-1][1:] == [day, until, answered.told]:
                rows[-1][1] = day + 1
            else:
                rows.append([day, day + 1, until, answered.told])
        return orjson.dumps(rows), max((answered.until - now for answered in holding.values()), default=0.0)

    def learn(self, provider: str, zone: str, body: bytes, now: float, wall_now: float) -> None:
        """Learn what another process packed; what cannot be read, or holds for longer than anything does, is passed over."""
        for first_day, end_day, until, told in _rows(body):
            seconds = until - wall_now
            if 0 < seconds <= LONGEST_SECONDS:
                for day in range(first_day, end_day):
                    if now + seconds > self.of(provider, zone, day).until + ROUNDING_SECONDS:
                        self.note(provider, zone, day, Answered(now + seconds, told))


def _rows(body: bytes) -> Iterable[tuple[int, int, int, int]]:
    """The rows of a packed body; none where it is not what `packed` writes."""
    try:
        rows = orjson.loads(body)
    except orjson.JSONDecodeError:
        return []
    if not isinstance(rows, list) or not all(isinstance(row, list) and list(map(type, row)) == [int] * 4 for row in rows):
        return []
    is_sound = all(0 <= row[1] - row[0] <= REMEMBERED_DAYS for row in rows) and all(a[1] <= b[0] for a, b in pairwise(rows))
    return [tuple(row) for row in rows] if is_sound and len(rows) <= REMEMBERED_DAYS else []


def spans_of(days: Iterable[int], longest: int) -> list[range]:
    """Ascending days as ranges of consecutive ones, none longer than `longest`."""
    spans: list[range] = []
    for day in days:
        if spans and spans[-1].stop == day and len(spans[-1]) < longest:
            spans[-1] = range(spans[-1].start, day + 1)
        else:
            spans.append(range(day, day + 1))
    return spans
