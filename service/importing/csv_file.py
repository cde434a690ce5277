"""CSV of hours, plain or gzip, as blocks of text columns with exact line numbers and bounded memory.

One line is one row: a quoted cell may hold commas but no line break, so a quote that is never closed harms its own line alone.
A block of sound lines is split by pyarrow; any other is split line by line, and each bad line becomes a fault.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from service.importing.faults import refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from service.importing.faults import Faults

GZIP_MAGIC: Final = b"\x1f\x8b"
PARQUET_MAGIC: Final = b"PAR1"
MAX_INFLATED_BYTES: Final = 2 << 30
MAX_ROWS: Final = 20_000_000
"""2,283 years of hours, or as many zones for one year. Blank lines count too."""
MAX_LINE_BYTES: Final = 1 << 20
MAX_COLUMNS: Final = 1_000

_BLOCK_BYTES: Final = 8 << 20
_REFUSED_STARTS: Final = {
    b"\xff\xfe": "is UTF-16; save it as UTF-8",
    b"\xfe\xff": "is UTF-16; save it as UTF-8",
    b"PK\x03\x04": "is a zip archive or a spreadsheet; unpack it or save it as CSV",
    b"\x28\xb5\x2f\xfd": "is compressed with zstd; unpack it, or use gzip",
    b"BZh": "is compressed with bzip2; unpack it, or use gzip",
    b"\xfd7zXZ": "is compressed with xz; unpack it, or use gzip",
}


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows of a file: the number of each (from 1) and, by the file's own column names, their cells as Arrow arrays."""

    lines: NDArray[np.int64]
    cells: Mapping[str, Any]


class CsvFile:
    """An open CSV file; its header has been read. Raises InvalidInput for a file that is not CSV."""

    unit = "line"

    def __init__(self, path: Path, max_bytes: int = MAX_INFLATED_BYTES) -> None:
        self._name = path.name
        self._line = 0
        self._texts = _line_blocks(_inflated(path, max_bytes), path.name)
        self._rest = b""
        self.header = self._read_header()

    def blocks(self, columns: Sequence[str], faults: Faults) -> Iterator[Block]:
        """The rows after the header, with the columns asked for; lines that are not rows become faults."""
        if self._rest:
            yield self._block(self._rest, columns, faults)
        for text in self._texts:
            yield self._block(text, columns, faults)

    def _read_header(self) -> list[str]:
        for text in self._texts:
            self._rest = _without_mark(text)
            while self._rest:
                line, _, self._rest = self._rest.partition(b"\n")
                self._line += 1
                if line.strip():
                    return self._split_header(line)
        raise refused("file", f"{self._name} is empty; its first line names the columns, for example zone,start,g_per_kwh")

    def _split_header(self, line: bytes) -> list[str]:
        if line.startswith((GZIP_MAGIC, PARQUET_MAGIC)):
            raise refused("file", f"{self._name} holds another compressed file; unpack it once")
        if b"\0" in line:
            raise refused("file", f"{self._name} is not text in UTF-8: its first line holds NUL bytes")
        try:
            (header,) = csv.reader([line.decode("utf-8", "replace")], strict=True)
        except (csv.Error, ValueError) as error:
            raise refused(f"line {self._line}", f"the header cannot be split into columns: {error}") from error
        if len(header) > MAX_COLUMNS:
            raise refused(f"line {self._line}", f"the header has {len(header)} columns; at most {MAX_COLUMNS} are read")
        return [name.strip() for name in header]

    def _block(self, text: bytes, columns: Sequence[str], faults: Faults) -> Block:
        first, count = self._line + 1, text.count(b"\n") + (not text.endswith(b"\n"))
        self._line += count
        if self._line > MAX_ROWS:
            raise refused("file", f"{self._name} has more than {MAX_ROWS:,} lines; split it")
        places = [self.header.index(column) for column in columns]
        return self._split_at_once(text, first, count, places, faults) or self._split_by_line(text, first, places, faults)

    def _split_at_once(self, text: bytes, first: int, count: int, places: list[int], faults: Faults) -> Block | None:
        """Split by pyarrow; None unless every line is surely one row."""
        quotes = text.count(b'"')
        if b"\0" in text or quotes % 2 or not _is_utf8(text):
            return None
        import pyarrow as pa  # noqa: PLC0415 - heavy
        from pyarrow import csv as arrow_csv  # noqa: PLC0415 - heavy

        bad: list[tuple[int, int]] = []

        def skip(row: Any) -> str:  # noqa: ANN401 - pyarrow ships no types
            bad.append((row.number, row.actual_columns if row.text.strip() else 0))
            return "skip"

        names = [str(place) for place in range(len(self.header))]
        wanted = [names[place] for place in places]
        try:
            table = arrow_csv.read_csv(
                BytesIO(text),
                read_options=arrow_csv.ReadOptions(column_names=names, use_threads=False, block_size=len(text) + 1),
                parse_options=arrow_csv.ParseOptions(invalid_row_handler=skip, ignore_empty_lines=False),
                convert_options=arrow_csv.ConvertOptions(
                    include_columns=wanted,
                    column_types=dict.fromkeys(wanted, pa.string()),
                    strings_can_be_null=False,
                ),
            )
        except pa.ArrowInvalid:
            return None
        if table.num_rows + len(bad) != count or (bad and quotes):
            return None
        for number, columns in bad:
            if columns:
                faults.add(first + number - 1, "", self._width_fault(columns))
        rows = np.ones(count, np.bool_)
        rows[[number - 1 for number, _ in bad]] = False
        cells = {self.header[place]: table.column(str(place)).combine_chunks() for place in places}
        return _without_blank(Block(first + rows.nonzero()[0], cells))

    def _split_by_line(self, text: bytes, first: int, places: list[int], faults: Faults) -> Block:
        import pyarrow as pa  # noqa: PLC0415 - heavy

        lines: list[int] = []
        rows: list[list[str]] = []
        for number, line in enumerate(text.removesuffix(b"\n").split(b"\n"), start=first):
            try:
                cells = self._cells(line)
            except ValueError as error:
                faults.add(number, "", str(error))
                continue
            if cells:
                lines.append(number)
                rows.append([cells[place] for place in places])
        columns = list(zip(*rows, strict=True)) if rows else [() for _ in places]
        names = [self.header[place] for place in places]
        arrays = {name: pa.array(column, pa.string()) for name, column in zip(names, columns, strict=True)}
        return _without_blank(Block(np.array(lines, np.int64), arrays))

    def _cells(self, line: bytes) -> list[str]:
        """The cells of one line, none for a blank one; ValueError says why it is not a row."""
        if b"\0" in line:
            raise ValueError("the line holds a NUL byte")
        if len(line) > MAX_LINE_BYTES:
            raise ValueError(f"the line is longer than {MAX_LINE_BYTES >> 20} MiB")
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            raise ValueError("the line is not UTF-8") from error
        if not text.strip():
            return []
        try:
            (cells,) = csv.reader([text], strict=True)
        except csv.Error as error:
            raise ValueError("a quote is never closed, or something follows it; a cell holds no line break") from error
        if len(cells) != len(self.header):
            raise ValueError(self._width_fault(len(cells)))
        return cells

    def _width_fault(self, columns: int) -> str:
        return f"the line has {columns} columns and the header {len(self.header)}"


def open_source(path: Path) -> bytes:
    """The first bytes of a regular file; InvalidInput where there is none, or it is of a kind that is never read."""
    try:
        if not path.is_file():
            reason = "is not a regular file" if path.exists() else "does not exist"
            raise refused("file", f"{path} {reason}")
        with path.open("rb") as file:
            start = file.read(16)
    except OSError as error:
        raise refused("file", f"{path} cannot be read: {error.strerror}") from error
    for magic, reason in _REFUSED_STARTS.items():
        if start.startswith(magic):
            raise refused("file", f"{path.name} {reason}")
    for suffix, magic, kind in ((".parquet", PARQUET_MAGIC, "a Parquet"), (".gz", GZIP_MAGIC, "a gzip")):
        if path.name.lower().endswith(suffix) and not start.startswith(magic):
            raise refused("file", f"{path.name} is named {suffix} but does not start as {kind} file")
    return start


def _inflated(path: Path, max_bytes: int) -> Iterator[bytes]:
    """The file's bytes, inflated where they are gzip, in pieces and never more than `max_bytes` of them."""
    total = 0
    try:
        with path.open("rb") as raw:
            is_gzip = raw.read(2) == GZIP_MAGIC
            raw.seek(0)
            with gzip.GzipFile(fileobj=raw) if is_gzip else raw as file:
                while piece := file.read(_BLOCK_BYTES):
                    total += len(piece)
                    if total > max_bytes:
                        raise refused("file", f"{path.name} holds more than {max_bytes:,} bytes of text; split it")
                    yield piece
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise refused("file", f"{path.name} is damaged or cut: {error}") from error
    except OSError as error:
        raise refused("file", f"{path.name} cannot be read: {error.strerror}") from error


def _line_blocks(pieces: Iterator[bytes], name: str) -> Iterator[bytes]:
    """Whole lines in blocks, every line end as LF; a line without end is cut at its limit, where it becomes a fault."""
    rest = b""
    for piece in pieces:
        text = rest + piece
        # A CR at the very end may be half of a CR LF: it waits for the next piece.
        cut = max(text.rfind(b"\n"), text.rfind(b"\r", 0, len(text) - 1)) + 1
        if cut:
            yield _unix(text[:cut])
        rest = text[cut:]
        if len(rest) > _BLOCK_BYTES + MAX_LINE_BYTES:
            raise refused("file", f"{name} has a line of more than {_BLOCK_BYTES >> 20} MiB; it is not a table of hours")
    if rest:
        yield _unix(rest)


def _unix(text: bytes) -> bytes:
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in text else text


def _without_mark(text: bytes) -> bytes:
    return text.removeprefix(b"\xef\xbb\xbf")


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _without_blank(block: Block) -> Block:
    """The block without the rows whose cells are all empty, as spreadsheets leave them at the end."""
    from pyarrow import compute  # noqa: PLC0415 - heavy

    filled = np.zeros(len(block.lines), np.bool_)
    for cells in block.cells.values():
        filled |= compute.not_equal(cells, "").to_numpy(zero_copy_only=False)
    if filled.all():
        return block
    return Block(block.lines[filled], {name: cells.filter(filled) for name, cells in block.cells.items()})
