"""CSV, TSV and their like as tables of text columns: one line is one row, and a line with another count of cells is torn off.

A block of sound lines is split by pyarrow; any other is split line by line, so that a quote that is never closed harms its own line alone.
"""

from __future__ import annotations

import csv
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from service.backfill.jobs import BATCH_ROWS, Torn
from service.backfill.lines import line_blocks
from service.backfill.table import Rows
from service.importing.faults import refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_COLUMNS: Final = 1_000
TORN_CHARACTERS: Final = 10_000
"""No more of a torn line than this is kept."""


class TextTable:
    """An open text table; its header has been read. `quoted` is False for formats that know no quotes, as Slurm's."""

    unit = "line"

    def __init__(self, path: Path, separator: str, *, quoted: bool = True) -> None:
        import pyarrow as pa  # noqa: PLC0415 - heavy

        self._path = path
        self._separator = separator
        self._quoted = quoted
        self._header_line, self.header = self._read_header()
        self.schema = pa.schema([(name, pa.string()) for name in self.header])

    def rows(self) -> Iterator[Rows]:
        """The rows after the header, blank lines left out."""
        for first, block in line_blocks(self._path):
            first_line, text = first, block
            if first <= self._header_line < first + block.count(b"\n") + 1:
                skipped = self._header_line - first + 1
                text = block.split(b"\n", skipped)[skipped] if block.count(b"\n") >= skipped else b""
                first_line = self._header_line + 1
            if text.strip():
                yield from _sliced(self._split_at_once(text, first_line) or self._split_by_line(text, first_line))

    def _read_header(self) -> tuple[int, list[str]]:
        for first, block in line_blocks(self._path):
            for number, line in enumerate(block.split(b"\n"), start=first):
                if line.strip():
                    return number, self._split_header(number, line)
        raise refused("file", f"{self._path.name} is empty; its first line names the columns")

    def _split_header(self, number: int, line: bytes) -> list[str]:
        try:
            header = [name.strip() for name in self._cells(line.decode())]
        except ValueError as error:
            raise refused(f"line {number}", f"the header cannot be split into columns: {error}") from error
        if len(header) > MAX_COLUMNS:
            raise refused(f"line {number}", f"the header has {len(header)} columns; at most {MAX_COLUMNS} are read")
        if twice := next((name for name in header if header.count(name) > 1), None):
            raise refused(f"line {number}", f"the column {twice[:40]!r} occurs more than once")
        return header

    def _split_at_once(self, text: bytes, first: int) -> Rows | None:
        """Split by pyarrow; None unless every line is surely one row or blank."""
        import pyarrow as pa  # noqa: PLC0415 - heavy
        from pyarrow import csv as arrow_csv  # noqa: PLC0415 - heavy

        if b"\0" in text or (self._quoted and b'"' in text and not _quotes_are_plain(text, self._separator)) or b"\n\n" in text:
            return None
        parse = arrow_csv.ParseOptions(delimiter=self._separator, quote_char='"' if self._quoted else False, ignore_empty_lines=False)
        try:
            text.decode()
            table = arrow_csv.read_csv(
                BytesIO(text),
                read_options=arrow_csv.ReadOptions(column_names=self.header, use_threads=False, block_size=len(text) + 1),
                parse_options=parse,
                convert_options=arrow_csv.ConvertOptions(column_types=dict.fromkeys(self.header, pa.string()), strings_can_be_null=False),
            )
        except (UnicodeDecodeError, pa.ArrowInvalid):
            return None
        if table.num_rows != text.count(b"\n") + (not text.endswith(b"\n")):
            return None
        (batch,) = table.combine_chunks().to_batches()
        return Rows(np.arange(first, first + table.num_rows), batch)

    def _split_by_line(self, text: bytes, first: int) -> Rows:
        import pyarrow as pa  # noqa: PLC0415 - heavy

        lines: list[int] = []
        rows: list[list[str]] = []
        torn: list[Torn] = []
        for number, line in enumerate(text.removesuffix(b"\n").split(b"\n"), start=first):
            try:
                cells = self._row(line)
            except ValueError as error:
                torn.append(Torn(number, str(error), line[:TORN_CHARACTERS].decode("utf-8", "replace")))
                continue
            if cells:
                lines.append(number)
                rows.append(cells)
        columns: Any = zip(*rows, strict=True) if rows else [() for _ in self.header]
        batch = pa.record_batch([pa.array(column, pa.string()) for column in columns], schema=self.schema)
        return Rows(np.array(lines, np.int64), batch, torn)

    def _row(self, line: bytes) -> list[str]:
        """The cells of one line, none for a blank one; ValueError says why it is not a row."""
        if not line.strip():
            return []
        if b"\0" in line:
            raise ValueError("the line holds a NUL byte")
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            raise ValueError("the line is not UTF-8") from error
        cells = self._cells(text)
        if len(cells) != len(self.header):
            raise ValueError(f"the line has {len(cells)} cells and the header {len(self.header)}")
        return cells

    def _cells(self, text: str) -> list[str]:
        if not self._quoted:
            return text.split(self._separator)
        try:
            (cells,) = csv.reader([text], strict=True, delimiter=self._separator)
        except csv.Error as error:
            raise ValueError("a quote is never closed, or something follows it; a cell holds no line break") from error
        return cells


def _quotes_are_plain(text: bytes, separator: str) -> bool:
    """Whether every line of the block has an even count of quotes and none follows a quoted cell's end: then pyarrow splits it alike."""
    sign = separator.encode()
    if text.count(b'"') % 2:
        return False
    bare = text.replace(b'""', b"")
    opened = bare.count(sign + b'"') + bare.count(b'\n"') + bare.startswith(b'"')
    closed = bare.count(b'"' + sign) + bare.count(b'"\n') + bare.endswith(b'"')
    return opened == closed == bare.count(b'"') / 2 and all(line.count(b'"') % 2 == 0 for line in text.split(b"\n"))


def _sliced(rows: Rows) -> Iterator[Rows]:
    for at in range(0, max(1, len(rows.lines)), BATCH_ROWS):
        yield Rows(rows.lines[at : at + BATCH_ROWS], rows.batch.slice(at, BATCH_ROWS), rows.torn if at == 0 else ())
