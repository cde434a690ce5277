"""Joining Parquet files without decoding them: pages are copied as they are, footers are merged with their offsets moved.

A footer is a Thrift structure in the compact protocol (Apache Thrift, thrift-compact-protocol.md; Apache Parquet, parquet.thrift), of which
only the fields that hold offsets, row counts and row groups have a meaning here; all others pass through as they are.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

Fields: TypeAlias = list[list[Any]]
"""A structure: its fields as [id, type, content]."""

MAGIC: Final = b"PAR1"
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _STRUCT = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12
_NUM_ROWS, _ROW_GROUPS = 3, 4
_COLUMNS, _GROUP_OFFSET, _ORDINAL = 1, 5, 7
_CHUNK_OFFSETS, _META_DATA = (2, 4, 6), 3
_META_OFFSETS: Final = (9, 10, 11, 14)
"""data_page_offset, index_page_offset, dictionary_page_offset, bloom_filter_offset."""
_LONG_LIST: Final = 15


def split_parquet(parquet: bytes | memoryview) -> tuple[memoryview, bytes]:
    """The pages of a whole Parquet file, without magic, and its footer. Raises ValueError for anything else."""
    view = memoryview(parquet)
    if bytes(view[:4]) != MAGIC or bytes(view[-4:]) != MAGIC:
        raise ValueError("not a Parquet file")
    length = int.from_bytes(view[-8:-4], "little")
    return view[4 : -8 - length], bytes(view[-8 - length : -8])


def merged_footer(footers: Sequence[bytes], starts: Sequence[int]) -> bytes:
    """The end of a file that holds the pages of several files, each from the offset in `starts`: footer, length and magic.

    All have one schema; what else a footer says is taken from the first.
    """
    merged = _Reader(footers[0]).structure()
    groups: Fields = []
    rows = 0
    for footer, start in zip(footers, starts, strict=True):
        fields = _Reader(footer).structure()
        rows += _field(fields, _NUM_ROWS)[2]
        for group in _field(fields, _ROW_GROUPS)[2][1]:
            _move(group, start - len(MAGIC), len(groups))
            groups.append(group)
    _field(merged, _NUM_ROWS)[2] = rows
    _field(merged, _ROW_GROUPS)[2] = (_STRUCT, groups)
    out = bytearray()
    _write_structure(out, merged)
    return bytes(out) + len(out).to_bytes(4, "little") + MAGIC


def _field(fields: Fields, number: int) -> list[Any]:
    return next(field for field in fields if field[0] == number)


def _move(group: Fields, offset: int, ordinal: int) -> None:
    for field in group:
        if field[0] == _GROUP_OFFSET and field[2]:
            field[2] += offset
        elif field[0] == _ORDINAL:
            field[2] = min(ordinal, (1 << 15) - 1)
    for chunk in _field(group, _COLUMNS)[2][1]:
        for field in chunk:
            if field[0] in _CHUNK_OFFSETS and field[1] == _I64 and field[2]:
                field[2] += offset
            elif field[0] == _META_DATA:
                for inner in field[2]:
                    if inner[0] in _META_OFFSETS and inner[2]:
                        inner[2] += offset


class _Reader:
    """Reads one structure of the compact protocol."""

    def __init__(self, encoded: bytes) -> None:
        self._bytes = encoded
        self._at = 0

    def structure(self) -> Fields:
        fields: Fields = []
        number = 0
        while head := self._byte():
            kind, ahead = head & 15, head >> 4
            number = number + ahead if ahead else self._zigzag()
            fields.append([number, kind, self._content(kind)])
        return fields

    def _content(self, kind: int) -> Any:  # noqa: ANN401 - any Thrift content
        if kind in {_TRUE, _FALSE}:
            return kind == _TRUE
        return self._element(kind)

    def _element(self, kind: int) -> Any:  # noqa: ANN401 - any Thrift content, one line a type
        if kind in {_TRUE, _FALSE, _BYTE}:
            return self._byte()
        if kind in {_I16, _I32, _I64}:
            return self._zigzag()
        if kind == _DOUBLE:
            return self._take(8)
        if kind == _BINARY:
            return self._take(self._varint())
        if kind in {_LIST, _SET}:
            return self._list()
        if kind == _STRUCT:
            return self.structure()
        raise ValueError(f"a footer holds the Thrift type {kind}, which Parquet does not use")

    def _list(self) -> tuple[int, list[Any]]:
        head = self._byte()
        count, kind = head >> 4, head & 15
        if count == _LONG_LIST:
            count = self._varint()
        return kind, [self._element(kind) for _ in range(count)]

    def _byte(self) -> int:
        self._at += 1
        return self._bytes[self._at - 1]

    def _take(self, count: int) -> bytes:
        self._at += count
        return self._bytes[self._at - count : self._at]

    def _varint(self) -> int:
        number = shift = 0
        while True:
            byte = self._byte()
            number |= (byte & 0x7F) << shift
            if byte < 0x80:  # noqa: PLR2004 - the top bit says that more follows
                return number
            shift += 7

    def _zigzag(self) -> int:
        number = self._varint()
        return (number >> 1) ^ -(number & 1)


def _write_structure(out: bytearray, fields: Fields) -> None:
    before = 0
    for number, kind, content in fields:
        written = (_TRUE if content else _FALSE) if kind in {_TRUE, _FALSE} else kind
        if 0 < number - before < _LONG_LIST + 1:
            out.append((number - before) << 4 | written)
        else:
            out.append(written)
            _write_zigzag(out, number)
        before = number
        if kind not in {_TRUE, _FALSE}:
            _write_element(out, kind, content)
    out.append(0)


def _write_element(out: bytearray, kind: int, content: Any) -> None:  # noqa: ANN401 - any Thrift content
    if kind in {_TRUE, _FALSE, _BYTE}:
        out.append(content)
    elif kind in {_I16, _I32, _I64}:
        _write_zigzag(out, content)
    elif kind == _DOUBLE:
        out += content
    elif kind == _BINARY:
        _write_varint(out, len(content))
        out += content
    elif kind == _STRUCT:
        _write_structure(out, content)
    else:
        element, members = content
        out += struct.pack("B", min(len(members), _LONG_LIST) << 4 | element)
        if len(members) >= _LONG_LIST:
            _write_varint(out, len(members))
        for member in members:
            _write_element(out, element, member)


def _write_varint(out: bytearray, number: int) -> None:
    while number >= 0x80:  # noqa: PLR2004 - as above
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


def _write_zigzag(out: bytearray, number: int) -> None:
    _write_varint(out, number << 1 if number >= 0 else (-number << 1) - 1)
