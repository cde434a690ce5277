"""What schemathesis has to be told about this service; loaded by name in `tests/test_contract.py`.

Left alone it makes up times of any year and locations of any letters, nearly all refused for good reasons: it hardly reaches the
arithmetic.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import schemathesis
from hypothesis import strategies as st

from service.backfill.uploads.requests import UPLOAD_TYPES

if TYPE_CHECKING:
    from schemathesis import HookContext

LOCATIONS = ("FR", "us-cal-ciso", "CN-BJ", "aws:eu-west-3", "geo:48.85,2.35", "USA", "Atlantis")
LONGEST_LOCATION = 200

schemathesis.serializer.alias("application/x-ndjson", "text/plain")
for kind in UPLOAD_TYPES:
    if kind not in {"application/json", "application/x-ndjson", "application/octet-stream"}:
        schemathesis.serializer.alias(kind, "text/plain")
schemathesis.openapi.format(
    "date-time",
    st.one_of(
        st.datetimes(datetime(2022, 1, 1), datetime(2022, 6, 1)).map(lambda time: f"{time.isoformat()}Z"),  # noqa: DTZ001 - as hypothesis wants
        st.datetimes(datetime(1990, 1, 1), datetime(2040, 1, 1)).map(lambda time: f"{time.isoformat()}+05:30"),  # noqa: DTZ001 - as above
    ),
)


@schemathesis.hook
def map_body(_: HookContext, body: Any) -> Any:
    """Put a place that exists where one was made up; what breaks the contract is left as it is."""
    if not isinstance(body, dict):
        return body
    uses = [use for name in ("training", "idle", "deployment") if isinstance(body.get(name), list) for use in body[name]]
    for part in (body, *uses):
        if isinstance(part, dict) and isinstance(part.get("location"), str) and 0 < len(part["location"]) <= LONGEST_LOCATION:
            part["location"] = LOCATIONS[len(part["location"]) % len(LOCATIONS)]
    return body
