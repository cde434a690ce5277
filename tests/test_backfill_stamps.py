"""Wall clocks of time zones in UTC, also where they changed at an odd minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from gridgram.interval import from_microseconds, to_microseconds
from service.backfill.stamps import localised


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("America/St_Johns", "2008-03-08"),  # 00:01 on the 9th became 01:01
        ("America/St_Johns", "2008-11-01"),  # 00:01 on the 2nd became 23:01
        ("Asia/Gaza", "2011-03-31"),
        ("Europe/Paris", "2024-03-30"),
        ("Europe/Paris", "2024-10-26"),
        ("Australia/Lord_Howe", "2024-04-06"),  # by half an hour
    ],
)
def test_every_minute_of_a_night_in_which_clocks_change_is_what_python_makes_of_it_or_told_to_be_doubtful(zone: str, day: str) -> None:
    midnight = datetime.fromisoformat(day).replace(hour=20, tzinfo=UTC)
    walls = [midnight + timedelta(minutes=minute, seconds=30) for minute in range(12 * 60)]

    utc, is_sure = localised(np.array([to_microseconds(wall) for wall in walls]), ZoneInfo(zone))

    for wall, found, sure in zip(walls, utc.tolist(), is_sure.tolist(), strict=True):
        first, last = (wall.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC) for fold in (0, 1))
        assert sure == (first == last)
        assert not sure or from_microseconds(found) == first
    assert not is_sure.all()
