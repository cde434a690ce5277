"""NDJSON of jobs as a table: one object a line. The columns are all names that occur, each of the kind that all its cells have.

Whole numbers stay whole, lists of numbers lists; a column of several kinds, or of nested objects, is carried as JSON text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson

from service.backfill.jobs import BATCH_ROWS, Torn
from service.backfill.lines import line_blocks
from service.backfill.table import Rows
from service.backfill.text_table import MAX_COLUMNS, TORN_CHARACTERS
from service.importing.faults import refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MAX_INTEGER: Final = 1 << 63


class JsonTable:
    """An open NDJSON file; it has been looked through once for its columns."""

    unit = "line"

    def __init__(self, path: Path) -> None:
        import pyarrow as pa  # noqa: PLC0415 - heavy

        self._path = path
        kinds: dict[str, str] = {}
        for _, members in self._objects([]):
            for name, cell in members.items():
                kinds[name] = _common(kinds.get(name, "null"), _kind(cell))
            if len(kinds) > MAX_COLUMNS:
                raise refused("file", f"{path.name} has more than {MAX_COLUMNS} different names of fields")
        if not kinds:
            raise refused("file", f"{path.name} holds no JSON object; each line is one, for example {{'location': 'FR', ...}}")
        self._kinds = kinds
        types = {
            "null": pa.string(),
            "bool": pa.bool_(),
            "integer": pa.int64(),
            "number": pa.float64(),
            "text": pa.string(),
            "numbers": pa.list_(pa.float64()),
            "json": pa.string(),
        }
        self.schema = pa.schema([(name, types[kind]) for name, kind in kinds.items()])

    def rows(self) -> Iterator[Rows]:
        """All lines that are objects; the others are torn."""
        torn: list[Torn] = []
        lines: list[int] = []
        held: list[dict[str, Any]] = []
        for number, members in self._objects(torn):
            lines.append(number)
            held.append(members)
            if len(lines) == BATCH_ROWS:
                yield self._batch(lines, held, torn)
                lines, held = [], []
                torn.clear()
        if lines or torn:
            yield self._batch(lines, held, torn)

    def _batch(self, lines: list[int], held: list[dict[str, Any]], torn: list[Torn]) -> Rows:
        import pyarrow as pa  # noqa: PLC0415 - heavy

        columns = []
        for field in self.schema:
            cells = [members.get(field.name) for members in held]
            if self._kinds[field.name] == "json":
                cells = [None if cell is None else orjson.dumps(cell).decode() for cell in cells]
            columns.append(pa.array(cells, field.type))
        return Rows(np.array(lines, np.int64), pa.record_batch(columns, schema=self.schema), tuple(torn))

    def _objects(self, torn: list[Torn]) -> Iterator[tuple[int, dict[str, Any]]]:
        for first, block in line_blocks(self._path):
            for number, line in enumerate(block.removesuffix(b"\n").split(b"\n"), start=first):
                if not line.strip():
                    continue
                try:
                    members = orjson.loads(line)
                    reason = "the line is JSON, but no object"
                except ValueError as error:
                    members, reason = None, f"the line is no JSON: {error}"
                if isinstance(members, dict):
                    yield number, members
                else:
                    torn.append(Torn(number, reason, line[:TORN_CHARACTERS].decode("utf-8", "replace")))


def _kind(cell: object) -> str:  # noqa: PLR0911 - one line a kind
    if cell is None:
        return "null"
    if isinstance(cell, bool):
        return "bool"
    if isinstance(cell, int):
        return "integer" if -_MAX_INTEGER <= cell < _MAX_INTEGER else "json"
    if isinstance(cell, float):
        return "number"
    if isinstance(cell, str):
        return "text"
    if isinstance(cell, list) and all(type(member) in {int, float, type(None)} for member in cell):
        return "numbers"
    return "json"


def _common(one: str, other: str) -> str:
    if other in {one, "null"}:
        return one
    if one == "null":
        return other
    return "number" if {one, other} == {"integer", "number"} else "json"
