"""The job that is asked most, answered at once: of the common form, in a place known already, all its hours of one month in memory.

What is not of that kind, or has any fault, is left to the thorough way (`service.jobs`, `service.usecases`), which says what is wrong and
waits for what is not at hand. Both give the same bytes; a test holds them to it.
"""

from __future__ import annotations

from operator import mul
from typing import TYPE_CHECKING

import orjson

from gridgram.emissions import account_columns, hours_worse_than
from service.answers import equivalents_answer
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
    profile, pue = job.profile, job.pue
    hours = range(profile.hours[0], profile.end_hour)  # equal steps have no gaps
    chunk = intensity.at_hand(place.zone.key, job.signal, hours.start, hours.stop)
    if chunk is None:
        return None
    kwh = profile.kwh if pue == 1 else [kwh * pue for kwh in profile.kwh]
    month = written.of(chunk)
    columns = month.columns(hours, kwh)
    if hours_worse_than(job.min_quality, columns):
        return None
    emissions = account_columns(profile, columns, pue)
    text = month.answer_json(place, job, emissions, columns)
    if not job.include:
        return text
    pieces = [text[:-1]]
    if "hours" in job.include:
        pieces += b',"hours":', month.hours_json(hours, kwh, list(map(mul, kwh, columns.g_per_kwh)))
    if "equivalents" in job.include:
        pieces += b',"equivalents":', orjson.dumps(equivalents_answer(emissions.emissions_g))
    return b"".join([*pieces, b"}"])
