"""Rows of output as bytes, in parts that follow each other in one file: the same part is always the same bytes."""

from __future__ import annotations

import base64
from enum import StrEnum
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import orjson

from service.backfill.footer import MAGIC, merged_footer, split_parquet
from service.backfill.grafting import Grafter
from service.importing.faults import refused

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from service.backfill.carried import Carried
    from service.backfill.jobs import Schema
    from service.backfill.parquet_table import Piece

OWN_CODEC: Final = "zstd"
OUR_CODEC: Final = "lz4"
"""Grams have random digits: lz4 gives up on them at once, zstd works for a twentieth of their bytes (bench/backfill.py)."""


class OutputFormat(StrEnum):
    """How the output is written."""

    PARQUET = "parquet"
    CSV = "csv"
    NDJSON = "ndjson"


SUFFIXES: Final = {
    ".parquet": OutputFormat.PARQUET,
    ".csv": OutputFormat.CSV,
    ".ndjson": OutputFormat.NDJSON,
    ".jsonl": OutputFormat.NDJSON,
}


def format_of(path: Path) -> OutputFormat:
    """The format that a file's name asks for. Raises InvalidInput."""
    found = SUFFIXES.get(path.suffix.lower())
    if found is None:
        raise refused("--output", f"{path.name} does not end as one of {', '.join(SUFFIXES)}, which says the format")
    return found


class Encoder:
    """Encodes parts in one format; `own` names the file's own columns, `plain` those that a dictionary does not shorten.

    `ours` are the other columns; of a part whose own columns are `carried` it is given these alone.
    """

    def __init__(
        self, output_format: OutputFormat, schema: Schema, own: Sequence[str], plain: Sequence[str] = (), carried: Carried | None = None
    ) -> None:
        self.format = output_format
        self._schema = schema
        self._own = frozenset(own)
        self._plain = frozenset(plain)
        self.ours = [name for name in schema.names if name not in self._own]
        self._parquet_settings: dict[str, Any] = {}
        self._grafter = carried and Grafter(carried, self._parquet_file(self._ours_alone(), [0]), self._parquet_file)

    def head(self) -> bytes:
        """What stands before the first part."""
        if self.format is OutputFormat.PARQUET:
            return MAGIC
        if self.format is OutputFormat.CSV:
            return self._csv(self._schema.empty_table(), header=True)
        return b""

    def part(self, batches: Sequence[Any], whole: Piece | None = None) -> tuple[list[Any], bytes]:
        """The bytes of some record batches, and for Parquet their footer; `whole` are the row groups whose own columns are carried."""
        import pyarrow as pa  # noqa: PLC0415 - heavy

        table = pa.Table.from_batches(batches)
        if self._grafter and whole is not None:
            return self._grafter.part(table.unify_dictionaries(), whole.first_group, whole.end_group)
        if self.format is OutputFormat.PARQUET:
            pages, footer = split_parquet(self._parquet_file(table.unify_dictionaries(), [table.num_rows]))
            return [pages], footer
        table = table.cast(self._schema)
        return [self._csv(table, header=False) if self.format is OutputFormat.CSV else self._ndjson(table)], b""

    def tail(self, footers: Sequence[bytes], starts: Sequence[int]) -> bytes:
        """What stands behind the last part; `starts` are the offsets of the parts."""
        if self.format is not OutputFormat.PARQUET:
            return b""
        if not footers:
            return bytes(self._parquet_file(self._schema.empty_table(), [0]))[len(MAGIC) :]
        return merged_footer(footers, starts)

    def _ours_alone(self) -> Any:  # noqa: ANN401 - an Arrow table
        return self._schema.empty_table().select(self.ours)

    def _parquet_file(self, table: Any, group_rows: Sequence[int]) -> memoryview:  # noqa: ANN401 - an Arrow table
        import pyarrow as pa  # noqa: PLC0415 - heavy
        from pyarrow import parquet  # noqa: PLC0415 - heavy

        sink, at = pa.BufferOutputStream(), 0
        with parquet.ParquetWriter(sink, table.schema, store_schema=False, **self._settings(table.schema.names)) as writer:
            for rows in group_rows:
                writer.write_table(table.slice(at, rows), max(1, rows))
                at += rows
            # The types as the file had them, not the dictionaries in which texts are handed on.
            writer.add_key_value_metadata({"ARROW:schema": base64.b64encode(self._schema.serialize().to_pybytes()).decode()})
        return memoryview(sink.getvalue())

    def _settings(self, names: Sequence[str]) -> dict[str, Any]:
        """How each column of Parquet is written, of a file with these columns."""
        if not self._parquet_settings:
            self._parquet_settings = self._found_settings()
        if len(names) == len(self._schema):
            return self._parquet_settings
        flat = set(self._parquet_settings["use_dictionary"])
        return {"compression": OUR_CODEC, "use_dictionary": [name for name in names if name in flat], "write_statistics": False}

    def _found_settings(self) -> dict[str, Any]:
        import pyarrow as pa  # noqa: PLC0415 - heavy
        from pyarrow import parquet  # noqa: PLC0415 - heavy

        sink = pa.BufferOutputStream()
        parquet.write_table(self._schema.empty_table(), sink, store_schema=False)
        leaves = parquet.read_metadata(pa.BufferReader(sink.getvalue())).schema
        columns = [(column.path, column.path.split(".")[0], column.physical_type) for column in leaves]
        own = [path for path, name, _ in columns if name in self._own]
        flat = [path for path, name, kind in columns if kind == "BYTE_ARRAY" or name in self._own]
        return {
            "compression": {path: OWN_CODEC if path in own else OUR_CODEC for path, _, _ in columns},
            "use_dictionary": [path for path in flat if path not in self._plain],
            "write_statistics": own,
        }

    def _csv(self, table: Any, *, header: bool) -> bytes:  # noqa: ANN401 - an Arrow table
        import pyarrow as pa  # noqa: PLC0415 - heavy
        from pyarrow import csv  # noqa: PLC0415 - heavy

        flat = _flat(table)
        for style in ("none", "needed"):  # the latter puts every text in quotes
            sink = BytesIO()
            try:
                csv.write_csv(flat, sink, csv.WriteOptions(include_header=header, quoting_style=style, quoting_header=style))
            except pa.ArrowInvalid:
                continue
            return sink.getvalue()
        raise AssertionError("CSV in quotes holds any text")

    def _ndjson(self, table: Any) -> bytes:  # noqa: ANN401 - an Arrow table
        ours = self.ours
        rows = table.to_pylist()
        for row in rows:
            for name in ours:
                if row[name] is None:
                    del row[name]
        return b"".join(orjson.dumps(row, default=str, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z) for row in rows)


def _flat(table: Any) -> Any:  # noqa: ANN401 - an Arrow table
    """The table with lists and structures as JSON text, which CSV can hold."""
    import pyarrow as pa  # noqa: PLC0415 - heavy

    for place, column in enumerate(table.schema):
        if pa.types.is_nested(column.type):
            cells = [None if cell is None else orjson.dumps(cell, default=str).decode() for cell in table.column(place).to_pylist()]
            table = table.set_column(place, column.name, pa.array(cells, pa.string()))
    return table
