"""The bounds that every request is held to; each is told in the error that it causes."""

from __future__ import annotations

MAX_BODY_BYTES = 2 * 1024 * 1024
"""One JSON body, after inflation. Room for 100,000 points written with 17 digits each."""
MAX_BATCH_BYTES = 32 * 1024 * 1024
"""A whole NDJSON batch, after inflation; it is streamed, so this is not what it takes in memory."""
MAX_LINE_BYTES = MAX_BODY_BYTES
"""One line of an NDJSON batch."""
MAX_BATCH_LINES = 100_000
"""Lines of one batch, blank ones too; without it 32 MiB of bad lines would be gigabytes of answers."""
MAX_FIELDS = 64
"""Fields of one object in a long body."""
MAX_POINTS = 100_000
"""Steps, powers or intervals of one profile."""
MAX_OBJECTS = MAX_POINTS + 100
"""Objects and lists in one JSON body: an interval is an object, and each takes some hundred times its bytes in memory."""
MAX_SPAN_DAYS = 366
"""From the start to the end of one job or one series."""
MAX_ENERGY_KWH = 1e12
"""One value of a profile: a thirtieth of what the world uses in a year."""
MAX_POWER_W = 1e12
MAX_PUE = 10.0
MAX_INTENSITY_G_PER_KWH = 5_000.0
"""More than twice the worst plant there is."""
MAX_TIME_CHARACTERS = 64
MAX_LOCATION_CHARACTERS = 200
MAX_SCHEDULE_LOCATIONS = 50
"""Locations that one schedule or one ranking compares."""
MAX_ASKED_ZONE_DAYS = 1_500
"""Days of the past, over all its zones, for which one schedule asks sources: a month of fifty zones, or a year of four."""
MAX_LOCATION_LIST_CHARACTERS = 4_000
"""A list of locations in a query; the line of a request has little more than 8,000."""
MAX_SCHEDULE_STEPS = 10_000
"""Steps of the job that a schedule places."""
MIN_SCHEDULE_STEP_MINUTES = 5
"""From one possible start of a scheduled job to the next."""
MAX_SCHEDULE_OPTIONS = 50
MAX_PLAN_CELLS = 2_000_000
"""Steps of the window x steps that the job runs, at each location, where pauses must be planned; it bounds memory."""
MAX_PLAN_CELLS_IN_ALL = 10_000_000
"""The same over all locations of one schedule; it bounds time."""
MAX_FAULTS = 100
"""How many faults of one request are told; the rest is counted."""
INLINE_BODY_BYTES = 16 * 1024
"""A longer body is read and computed in a thread, so that the event loop is not held up."""
