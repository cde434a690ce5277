"""Instants as batch systems want them: in the local time of the machine that reads them, and never an hour off.

When clocks go back, one local hour comes twice and no batch system can say which it means; such a start is told relative to now instead,
or refused where that cannot be. UTC to local time never gives a time that does not exist.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gridgram.errors import Fault, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

_SECOND, _MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def read_timezone(name: str | None) -> tzinfo | None:
    """The time zone of this name; None, for that of this machine, without one. Raises InvalidInput."""
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput([Fault("--timezone", f"{name[:40]!r} is no time zone known here; write it like Europe/Paris")]) from None


def sbatch_begin(start: datetime, timezone: tzinfo | None, now: datetime) -> str:
    """The option of Slurm's sbatch that lets a job begin no earlier: local time to the second, else seconds from now."""
    start = _up_to(start, _SECOND)
    if _comes_twice(start, timezone):
        return f"--begin=now+{max(0, -((now - start) // _SECOND))}"
    return f"--begin={start.astimezone(timezone):%Y-%m-%dT%H:%M:%S}"


def at_time(start: datetime, timezone: tzinfo | None, now: datetime) -> str:
    """The arguments of `at` for the first whole minute from the start on: local time, else minutes from now."""
    start = _up_to(start, _MINUTE)
    if _comes_twice(start, timezone):
        return f"now + {max(0, (start - now.replace(second=0, microsecond=0)) // _MINUTE)} minutes"
    return f"-t {start.astimezone(timezone):%Y%m%d%H%M}"


def cron_fields(start: datetime, timezone: tzinfo | None, _now: datetime) -> str:
    """The time fields of a crontab line for the first whole minute from the start on. Raises InvalidInput for an hour that comes twice.

    Cron knows no year: the line fires again in a year unless it is taken out.
    """
    start = _up_to(start, _MINUTE)
    local = start.astimezone(timezone)
    if _comes_twice(start, timezone):
        text = f"clocks go back and {local:%H:%M} comes twice that day, which cron cannot tell apart; use --format at or sbatch"
        raise InvalidInput([Fault("--format", text)])
    return f"{local.minute} {local.hour} {local.day} {local.month} *"


WRITERS: dict[str, Callable[[datetime, tzinfo | None, datetime], str]] = {"sbatch": sbatch_begin, "at": at_time, "cron": cron_fields}


def _up_to(instant: datetime, unit: timedelta) -> datetime:
    """The first whole second or minute that is not before the instant."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch - (epoch - instant) // unit * unit


def _comes_twice(instant: datetime, timezone: tzinfo | None) -> bool:
    """Whether another instant has the same local time."""
    local = instant.astimezone(timezone).replace(tzinfo=timezone)
    return len({local.replace(fold=fold).timestamp() for fold in (0, 1)}) > 1
