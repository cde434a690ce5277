"""The operations of backfills."""

from __future__ import annotations

from typing import Final

from service.backfill.uploads import answers, handlers
from service.backfill.uploads.requests import IDEMPOTENCY_KEY, UPLOAD_TYPES, BackfillQuery
from service.operation import Example, Operation

_ID: Final = "6f2d1c0b9a8e7d6c5b4a392817065f4e"
_PATH: Final = {"id": "What the upload was answered: 32 hexadecimal digits."}
_JOBS: Final = "location,start,end,energy_kwh\nFR,2022-03-11T00:10:00Z,2022-03-12T07:00:01Z,12.5\n"
_UPLOAD_PROBLEMS: Final = ("invalid-body", "body-too-large", "unsupported-media-type", "request-timeout")

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "POST",
        "/v1/backfills",
        "start_backfill",
        "Years of past jobs in one file (CSV, TSV, NDJSON, Parquet, a tool's own log): it is kept and converted later.",
        handlers.start_backfill,
        answers.BackfillAnswer,
        query=BackfillQuery,
        uploads=UPLOAD_TYPES,
        headers={IDEMPOTENCY_KEY: "1 to 255 visible ASCII characters: the same request sent again is the same backfill."},
        problems=(*_UPLOAD_PROBLEMS, "backfills-exhausted", "insufficient-storage", "idempotency-key-reused"),
        example=Example(query={"output": "csv"}, body=_JOBS),
        tag="backfills",
        status=202,
    ),
    Operation(
        "GET",
        "/v1/backfills/{id}",
        "backfill",
        "How far a backfill is; once it is done, what it came to.",
        handlers.backfill,
        answers.BackfillAnswer,
        problems=("not-found",),
        example=Example(path={"id": _ID}),
        path_parameters=_PATH,
        tag="backfills",
    ),
    Operation(
        "GET",
        "/v1/backfills/{id}/result",
        "backfill_result",
        "The jobs with their emissions, in the order of the upload; ranges may be asked for.",
        handlers.backfill_result,
        produces=tuple(handlers.RESULT_TYPES.values()),
        problems=("not-found", "no-result", "range-not-satisfiable"),
        example=Example(path={"id": _ID}),
        path_parameters=_PATH,
        tag="backfills",
        may_be_unchanged=True,
        is_file=True,
    ),
    Operation(
        "GET",
        "/v1/backfills/{id}/quarantine",
        "backfill_quarantine",
        "The rows without numbers: one object a line, with the line or row, the reason and the cells.",
        handlers.backfill_quarantine,
        produces=("application/x-ndjson",),
        problems=("not-found", "no-result", "range-not-satisfiable"),
        example=Example(path={"id": _ID}),
        path_parameters=_PATH,
        tag="backfills",
        may_be_unchanged=True,
        is_file=True,
    ),
    Operation(
        "DELETE",
        "/v1/backfills/{id}",
        "delete_backfill",
        "End a backfill, if it is not finished, and throw its files away; the answer tells how it stood.",
        handlers.delete_backfill,
        answers.BackfillAnswer,
        problems=("not-found",),
        example=Example(path={"id": _ID}),
        path_parameters=_PATH,
        tag="backfills",
    ),
)
