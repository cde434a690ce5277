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
MAX_LOCATION_CHARACTERS = 200
MAX_FAULTS = 100
"""How many faults of one request are told; the rest is counted."""
INLINE_BODY_BYTES = 16 * 1024
"""A longer body is read and computed in a thread, so that the event loop is not held up."""
