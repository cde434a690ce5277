"""Instants, spans and the grid of UTC hours.

An instant is an aware `datetime` at the border and an `int` of microseconds since 1970-01-01T00:00:00Z inside; an hour is the number
of whole hours since then. Spans include their start and exclude their end. UTC has no clock changes, so every hour is as long as any other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

MICROSECONDS_PER_HOUR = 3_600_000_000
MICROSECONDS_PER_MINUTE = 60_000_000
HOURS_PER_DAY = 24
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""Nothing older is accepted: no source reaches back further, and such a stamp is a slip far more often than a wish."""
HORIZON = timedelta(days=14)
"""How far past now a time may lie: beyond every forecast."""

_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?([Zz]|[+-]\d\d:\d\d)",
    re.ASCII,
)
_NAIVE = re.compile(r"\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?", re.ASCII)
_MAX_OFFSET_MINUTES = 14 * 60


def parse_time(text: str) -> datetime:
    """Read an RFC 3339 time with its offset, seconds optional; the answer is in UTC.

    Raises ValueError, saying what is wrong and how to write it, for a naive time, an epoch number, a leap second, `24:00`,
    an offset beyond +-14:00 or a date that does not exist. Fractions are kept to the microsecond.
    """
    plain = _read_plain(text)
    if plain is not None:
        return plain
    match = _RFC3339.fullmatch(text)
    if match is None:
        if _NAIVE.fullmatch(text):
            msg = f"the time {text!r} has no offset; add Z or +hh:mm, for example {_with_zulu(text)}"
        else:
            msg = f"{text[:40]!r} is not an RFC 3339 time; write it like 2022-03-11T00:00:00Z"
        raise ValueError(msg)
    *numbers, fraction, offset = match.groups()
    ahead = _read_offset(offset)
    try:
        year, month, day, hour, minute, second = (int(number or 0) for number in numbers)
        return datetime(year, month, day, hour, minute, second, int((fraction or "0")[:6].ljust(6, "0")), tzinfo=UTC) - ahead
    except OverflowError as error:
        msg = f"{text!r} lies outside the years that Gridgram knows"
        raise ValueError(msg) from error
    except ValueError as error:
        msg = f"{text!r} is no time that exists: {error}"
        raise ValueError(msg) from error


@lru_cache(maxsize=4_096)
def parse_microseconds(text: str) -> int:
    """As `parse_time`, in microseconds since 1970; remembered, since many jobs start at the same hours."""
    return to_microseconds(parse_time(text))


def _read_plain(text: str) -> datetime | None:
    """A time of the form 2022-03-11T00:00:00Z, which Python's own reader reads rightly and quickly; None for any other text."""
    if (
        len(text) != len("2022-03-11T00:00:00Z")
        or not (text[4] == text[7] == "-" and text[10] == "T" and text[13] == text[16] == ":" and text[19] == "Z")
        or text[11:13] == "24"
        or not text.isascii()
    ):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _read_offset(offset: str) -> timedelta:
    """How far ahead of UTC the offset is."""
    if offset in {"Z", "z"}:
        return timedelta()
    hours, minutes = int(offset[1:3]), int(offset[4:6])
    if hours * 60 + minutes > _MAX_OFFSET_MINUTES or minutes > 59:  # noqa: PLR2004 - minutes of an hour
        msg = f"the offset {offset} does not exist; offsets lie between -14:00 and +14:00"
        raise ValueError(msg)
    ahead = timedelta(hours=hours, minutes=minutes)
    return ahead if offset[0] == "+" else -ahead


def _with_zulu(text: str) -> str:
    date, _, clock = text.replace(" ", "T").replace("t", "T").partition("T")
    return f"{date}T{clock or '00:00:00'}Z"


_DURATION = re.compile(
    r"P(?:(?P<weeks>\d{1,4})W)?(?:(?P<days>\d{1,6})D)?"
    r"(?:T(?:(?P<hours>\d{1,6})H)?(?:(?P<minutes>\d{1,8})M)?(?:(?P<seconds>\d{1,9})(?:\.(?P<fraction>\d{1,6}))?S)?)?",
    re.ASCII,
)


@lru_cache(maxsize=256)
def parse_duration(text: str) -> int:
    """Read an ISO 8601 duration of fixed length, such as PT1H, PT5M or P1DT12H. [microseconds]

    Raises ValueError for anything else: years and months have no fixed length, and a duration of nothing is no step.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:40]!r} is not an ISO 8601 duration of fixed length; write it like PT1H, PT15M or P1DT12H")
    parts = {name: int(number) for name, number in match.groupdict().items() if number and name != "fraction"}
    microseconds = int((match["fraction"] or "0").ljust(6, "0"))
    duration = timedelta(microseconds=microseconds, **parts)
    if not duration:
        raise ValueError(f"{text[:40]!r} is no time at all; write a duration like PT1H")
    return duration // timedelta(microseconds=1)


def check_range(instant: datetime, now: datetime) -> datetime:
    """Give the instant back if it lies in [2000-01-01, now + 14 days]; raise ValueError that names the bound otherwise."""
    if instant < EARLIEST:
        msg = f"{format_time(instant)} is before 2000-01-01T00:00:00Z, the earliest time Gridgram accepts"
        raise ValueError(msg)
    if instant > now + HORIZON:
        msg = f"{format_time(instant)} is more than 14 days ahead; the latest time accepted now is {format_time(now + HORIZON)}"
        raise ValueError(msg)
    return instant


def format_time(instant: datetime) -> str:
    """Write an instant as RFC 3339 in UTC with `Z`; whole seconds unless there is a fraction."""
    utc = instant.astimezone(UTC)
    return utc.replace(tzinfo=None).isoformat() + "Z"


def to_microseconds(instant: datetime) -> int:
    """Microseconds since 1970-01-01T00:00:00Z, exactly. Raises ValueError for a naive time."""
    if instant.tzinfo is None:
        msg = f"the time {instant.isoformat()} has no offset"
        raise ValueError(msg)
    delta = instant - EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def from_microseconds(microseconds: int) -> datetime:
    """The instant that lies so many microseconds after 1970-01-01T00:00:00Z."""
    return EPOCH + timedelta(microseconds=microseconds)


def hour_of(instant: datetime) -> int:
    """The number of the UTC hour that holds the instant."""
    return to_microseconds(instant) // MICROSECONDS_PER_HOUR


def hour_start(hour: int) -> datetime:
    """The instant at which the hour of this number starts."""
    return EPOCH + timedelta(hours=hour)


def format_hour(hour: int) -> str:
    """The start of the hour of this number, as RFC 3339 with `Z`."""
    return format_time(hour_start(hour))


def format_hours(hours: Sequence[int]) -> list[str]:
    """Write the starts of many hours as RFC 3339 with `Z`; quicker than `format_hour` on each, since days are shared."""
    if isinstance(hours, range) and hours and hours.step == 1:
        days = range(hours.start // HOURS_PER_DAY, (hours.stop - 1) // HOURS_PER_DAY + 1)
        starts = [start for day in days for start in _day_starts(day)]
        first = hours.start % HOURS_PER_DAY
        return starts[first : first + len(hours)]
    return [_day_starts(hour // HOURS_PER_DAY)[hour % HOURS_PER_DAY] for hour in hours]


def format_microseconds(microseconds: int) -> str:
    """An instant given in microseconds since 1970, as RFC 3339 with `Z`."""
    hour, rest = divmod(microseconds, MICROSECONDS_PER_HOUR)
    return format_time(from_microseconds(microseconds)) if rest else _day_starts(hour // HOURS_PER_DAY)[hour % HOURS_PER_DAY]


@lru_cache(maxsize=1_024)
def _day_starts(day: int) -> tuple[str, ...]:
    """The starts of the 24 hours of a day, written."""
    date = (EPOCH + timedelta(days=day)).date().isoformat()
    return tuple(f"{date}T{hour:02d}:00:00Z" for hour in range(HOURS_PER_DAY))


@dataclass(frozen=True, slots=True)
class Interval:
    """A span of time, start included and end excluded, both aware and kept in UTC.

    Raises ValueError for a naive end or a span that is empty or runs backwards.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            msg = "an interval needs times with an offset"
            raise ValueError(msg)
        object.__setattr__(self, "start", self.start.astimezone(UTC))
        object.__setattr__(self, "end", self.end.astimezone(UTC))
        if self.end <= self.start:
            msg = f"the end {format_time(self.end)} is not after the start {format_time(self.start)}"
            raise ValueError(msg)

    @property
    def first_hour(self) -> int:
        """The number of the hour in which the span starts."""
        return hour_of(self.start)

    @property
    def end_hour(self) -> int:
        """The number of the first hour that the span does not touch."""
        return -(-to_microseconds(self.end) // MICROSECONDS_PER_HOUR)


class Month(NamedTuple):
    """A UTC calendar month: the unit of storage."""

    year: int
    month: int

    @classmethod
    def of_hour(cls, hour: int) -> Month:
        """The month that holds the hour of this number."""
        return _month_of_day(hour // HOURS_PER_DAY)

    @property
    def first_hour(self) -> int:
        """The number of the month's first hour."""
        return hour_of(datetime(self.year, self.month, 1, tzinfo=UTC))

    @property
    def hours(self) -> int:
        """How many hours the month has: 672 to 744."""
        return self.next.first_hour - self.first_hour

    @property
    def next(self) -> Month:
        """The month after this one."""
        return Month(self.year + self.month // 12, self.month % 12 + 1)

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"


@lru_cache(maxsize=16_384)
def _month_of_day(day: int) -> Month:
    start = EPOCH + timedelta(days=day)
    return Month(start.year, start.month)


def months_between(first_hour: int, end_hour: int) -> list[Month]:
    """The months that the hours [first_hour, end_hour) touch, in order."""
    if end_hour <= first_hour:
        return []
    last = Month.of_hour(end_hour - 1)
    months = [Month.of_hour(first_hour)]
    while months[-1] < last:
        months.append(months[-1].next)
    return months
