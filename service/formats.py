"""An hourly series as CSV or Parquet: the same numbers as in JSON, to the last bit, each row with its source and licence."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Any

import orjson

from gridgram.errors import InputError
from gridgram.quality import MISSING_CODE

if TYPE_CHECKING:
    from gridgram.series import IntensitySeries
    from service.answers import SeriesAnswer

JSON_TYPE = "application/json"
CSV_TYPE = "text/csv"
PARQUET_TYPE = "application/vnd.apache.parquet"
FORMATS = {"json": JSON_TYPE, "csv": CSV_TYPE, "parquet": PARQUET_TYPE}
_WEIGHT = re.compile(r"[01](?:\.\d{0,3})?", re.ASCII)
COLUMNS = ("zone", "signal", "start", "g_per_kwh", "low", "high", "quality", "provider", "scope", "licence", "attribution")


class NotAcceptable(InputError):
    """No format that the request accepts is to be had."""

    code = "not-acceptable"


def choose_format(wanted: str | None, accept: str) -> str:
    """Choose a format by the `format` parameter, else by the Accept header. Raises NotAcceptable.

    As RFC 9110 has it, the most specific range that names a format gives its weight; at equal weight the range that stands first wins,
    and JSON among the formats of one range, or of none.
    """
    if wanted is not None:
        return wanted
    ranges = [_read_range(entry) for entry in accept.lower().split(",") if entry.strip()] or [("*/*", 1.0)]
    place_by_range = {media_range: place for place, (media_range, _) in reversed(list(enumerate(ranges)))}
    ranked = []
    for name, media_type in FORMATS.items():
        names = (media_type, f"{media_type.partition('/')[0]}/*", "*/*")
        place = next((place_by_range[media_range] for media_range in names if media_range in place_by_range), None)
        if place is not None and ranges[place][1] > 0:
            ranked.append((-ranges[place][1], place, name))
    if not ranked:
        raise NotAcceptable(f"none of {accept[:80]!r} is to be had; accept {', '.join(FORMATS.values())}")
    return min(ranked, key=lambda rank: rank[:2])[2]


def _read_range(entry: str) -> tuple[str, float]:
    """One entry of an Accept header: its range and its weight; a weight that is none counts as 0."""
    media_range, *parameters = (part.strip() for part in entry.split(";"))
    weight = next((parameter[2:].strip() for parameter in parameters if parameter.startswith("q=")), "1")
    return media_range, float(weight) if _WEIGHT.fullmatch(weight) else 0.0


def write_series(answer: SeriesAnswer, series: IntensitySeries, name: str) -> bytes:
    """Write a series, given as values and as its JSON answer, in one of the three formats."""
    if name == "json":
        return orjson.dumps(answer)
    rows = _rows(answer, series)
    return _csv(rows) if name == "csv" else _parquet(answer, rows)


def _rows(answer: SeriesAnswer, series: IntensitySeries) -> list[dict[str, Any]]:
    sources = [series.sources[index] for index in series.source[series.quality != MISSING_CODE].tolist()]
    return [
        {
            "zone": answer["zone"],
            "signal": answer["signal"],
            **hour,
            "scope": source.scope.value,
            "licence": source.licence,
            "attribution": source.attribution,
        }
        for hour, source in zip(answer["hours"], sources, strict=True)
    ]


def _csv(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _harmless(cell) for name, cell in row.items()} for row in rows)
    return text.getvalue().encode()


def _harmless(cell: object) -> object:
    """Keep a text from being read as a formula by a spreadsheet."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def _parquet(answer: SeriesAnswer, rows: list[dict[str, Any]]) -> bytes:
    import pyarrow as pa  # noqa: PLC0415 - loaded only where it is used, for a quick start
    import pyarrow.parquet as pq  # noqa: PLC0415

    number, text = pa.float64(), pa.string()
    kinds = {"start": text, "g_per_kwh": number, "low": number, "high": number}
    table = pa.table({name: pa.array([row[name] for row in rows], kinds.get(name, text)) for name in COLUMNS})
    start = table["start"].cast(pa.timestamp("us", tz="UTC"))
    table = table.set_column(COLUMNS.index("start"), "start", start)
    terms = {"missing": answer["missing"], "provenance": answer["provenance"], "location": answer["location"]}
    table = table.replace_schema_metadata({f"gridgram.{name}": orjson.dumps(value) for name, value in terms.items()})
    out = io.BytesIO()
    pq.write_table(table, out, compression="zstd")
    return out.getvalue()
