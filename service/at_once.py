"""The job that is asked most, answered at once: of the common form, in a place known already, all its hours of one month in memory.

What is not of that kind, or has any fault, is left to the thorough way (`service.jobs`, `service.usecases`), which says what is wrong and
waits for what is not at hand. Both give the same bytes; a test holds them to it.
"""

from __future__ import annotations

from operator import mul
from typing import TYPE_CHECKING, Any, cast

import orjson

from gridgram.emissions import HourColumns, account_columns, hours_worse_than
from service.answers import emissions_answer, equivalents_answer
from service.jobs import read_plain_json

if TYPE_CHECKING:
    from datetime import datetime

    from gridgram.locations import Locator
    from service.intensity import Intensity
    from service.written import WrittenMonths


def emissions_at_once(body: bytes, now: datetime, locator: Locator, intensity: Intensity, written: WrittenMonths) -> bytes | None:
    """The answer to a body of POST /v1/emissions, as JSON; None when the thorough way has to be gone."""
    job = read_plain_json(body, now)
    if job is None or job.location is None or (place := locator.known(job.location)) is None:
        return None
    profile = job.profile
    first_hour, end_hour = profile.hours[0], profile.end_hour
    chunk = intensity.at_hand(place.zone.key, job.signal, first_hour, end_hour)
    if chunk is None:
        return None
    hours = written.hours(chunk, first_hour, end_hour)
    kwh = profile.kwh if job.pue == 1 else [kwh * job.pue for kwh in profile.kwh]
    columns = HourColumns(profile.hours, kwh, *hours[:5], chunk.series.sources)
    if hours_worse_than(job.min_quality, columns):
        return None
    emissions = account_columns(profile, columns, job.pue)
    answer = cast("dict[str, Any]", emissions_answer(place, job, emissions))
    if "hours" in job.include:
        answer["hours"] = orjson.Fragment(hours.json(kwh, list(map(mul, kwh, hours.g_per_kwh))))
    if "equivalents" in job.include:
        answer["equivalents"] = equivalents_answer(emissions.emissions_g)
    return orjson.dumps(answer)
