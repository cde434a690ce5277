"""Files of jobs and runs of `gridgram backfill` for its tests."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pyarrow as pa
from pyarrow import parquet

from service.app import build_gridgram
from service.backfill.output import format_of
from service.backfill.run import convert, prepare
from service.backfill.spec import Spec
from service.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from service.backfill.summary import BackfillSummary
    from service.usecases import Gridgram

NOW = datetime(2026, 11, 1, tzinfo=UTC)
HEADER = "location,start,end,energy_kwh\n"
PLACES = ("FR", "DE", "aws:us-west-2", "US-CA", "geo:48.85,2.35", "PL")


def house(home: Path) -> Gridgram:
    """All parts, over a store of their own and no source."""
    return build_gridgram(Settings(offline=True, store=f"sqlite:///{home / 'series.sqlite'}"))


def backfilled(source: Path, output: Path, *, workers: int = 1, gridgram: Gridgram | None = None, **asked: Any) -> BackfillSummary:
    """Run a whole backfill in this process."""
    spec = Spec(source, output, format_of(output), NOW, **asked)
    parts = gridgram or house(output.parent)

    async def main() -> Any:
        try:
            return await prepare(parts, spec)
        finally:
            await parts.intensity.close()

    return convert(asyncio.run(main()), workers=workers)


def written(path: Path, text: str) -> Path:
    """A file with this text."""
    path.write_text(text, encoding="utf-8")
    return path


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The rows of an output, whatever its format; absent numbers of NDJSON are None."""
    if path.suffix == ".parquet":
        return parquet.read_table(path).to_pylist()
    if path.suffix == ".csv":
        from pyarrow import csv  # noqa: PLC0415 - only here

        return csv.read_csv(path).to_pylist()
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def quarantined(output: Path) -> list[dict[str, Any]]:
    """The rows that the quarantine of an output tells of."""
    path = output.with_name(f"{output.name}.quarantine.ndjson")
    return [orjson.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []


def job_table(rows: int, seed: int = 1) -> pa.Table:
    """Random jobs of two years in several places."""
    random = np.random.default_rng(seed)
    first = int(datetime(2022, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
    start = first + random.integers(0, 700 * 86_400_000_000, rows)
    length = (random.exponential(30, rows) * 3.6e9).astype(np.int64) + 1
    kind = pa.timestamp("us", "UTC")
    return pa.table(
        {
            "location": pa.array(random.choice(PLACES, rows)),
            "start": pa.array(start).cast(kind),
            "end": pa.array(start + length).cast(kind),
            "energy_kwh": random.uniform(0, 100, rows),
            "pue": random.uniform(1, 2, rows),
            "project": pa.array([f"p{number}" for number in random.integers(0, 7, rows)]),
        }
    )
