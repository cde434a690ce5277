"""What is told of a backfill."""

from __future__ import annotations

from typing import Literal, NotRequired

from typing_extensions import TypedDict

from service.answers import FaultAnswer  # noqa: TC001 - pydantic makes a schema of it
from service.backfill.summary import BackfillSummary  # noqa: TC001 - pydantic makes a schema of it


class BackfillAnswer(TypedDict):
    """One backfill. `state` is waiting, running, done or failed; `doing` what a running one is about, `detail` why one waits or failed.

    `rows` is known once the file has been looked through; `rows_done` of them are converted, `rows_quarantined` have no numbers.
    """

    id: str
    state: Literal["waiting", "running", "done", "failed"]
    output: Literal["parquet", "csv", "ndjson"]
    upload_bytes: int
    created_at: str
    doing: NotRequired[Literal["looking", "fetching", "converting"]]
    rows: NotRequired[int]
    rows_done: NotRequired[int]
    rows_quarantined: NotRequired[int]
    rows_per_second: NotRequired[float]
    detail: NotRequired[str]
    errors: NotRequired[list[FaultAnswer]]
    finished_at: NotRequired[str]
    expires_at: NotRequired[str]
    summary: NotRequired[BackfillSummary]
