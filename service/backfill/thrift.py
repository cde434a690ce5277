"""Structures of Thrift's compact protocol, in which Parquet writes its footers, as lists of fields and back.

By Apache Thrift, thrift-compact-protocol.md. What a field means is not known here; all pass through as they are.
"""

from __future__ import annotations

import struct
from typing import Any, Final, TypeAlias

Fields: TypeAlias = list[list[Any]]
"""A structure: its fields as [id, type, content]; a list's content is (type of its members, members)."""

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, STRUCT = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12
_LONG_LIST: Final = 15


def read_structure(encoded: bytes) -> Fields:
    """The structure that these bytes begin with. Raises ValueError for a type that Parquet does not use, a field told twice, a cut."""
    try:
        return _Reader(encoded).structure()
    except IndexError as error:
        raise ValueError("a footer ends too early") from error


def write_structure(fields: Fields) -> bytes:
    """A structure as bytes."""
    out = bytearray()
    _write_structure(out, fields)
    return bytes(out)


def content_of(fields: Fields, number: int, absent: Any = None) -> Any:  # noqa: ANN401 - any Thrift content
    """What a field holds, or what stands for one that is not there."""
    return next((content for found, _, content in fields if found == number), absent)


def members_of(fields: Fields, number: int) -> list[Any]:
    """The members of a field that is a list; none where it is not there."""
    members: list[Any] = content_of(fields, number, (STRUCT, []))[1]
    return members


def with_content(fields: Fields, number: int, kind: int, content: Any) -> Fields:  # noqa: ANN401 - any Thrift content
    """The same structure with this in the field, in place of what was there."""
    return sorted([*(field for field in fields if field[0] != number), [number, kind, content]], key=lambda field: int(field[0]))


class _Reader:
    """Reads one structure."""

    def __init__(self, encoded: bytes) -> None:
        self._bytes = encoded
        self._at = 0

    def structure(self) -> Fields:
        fields: Fields = []
        told: set[int] = set()
        number = 0
        while head := self._byte():
            kind, ahead = head & 15, head >> 4
            number = number + ahead if ahead else self._zigzag()
            if number in told:
                raise ValueError(f"a footer tells field {number} twice")
            told.add(number)
            fields.append([number, kind, self._content(kind)])
        return fields

    def _content(self, kind: int) -> Any:  # noqa: ANN401 - any Thrift content
        if kind in {TRUE, FALSE}:
            return kind == TRUE
        return self._element(kind)

    def _element(self, kind: int) -> Any:  # noqa: ANN401 - any Thrift content, one line a type
        if kind in {TRUE, FALSE, BYTE}:
            return self._byte()
        if kind in {I16, I32, I64}:
            return self._zigzag()
        if kind == DOUBLE:
            return self._take(8)
        if kind == BINARY:
            return self._take(self._varint())
        if kind in {LIST, SET}:
            return self._list()
        if kind == STRUCT:
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
        written = (TRUE if content else FALSE) if kind in {TRUE, FALSE} else kind
        if 0 < number - before < _LONG_LIST + 1:
            out.append((number - before) << 4 | written)
        else:
            out.append(written)
            _write_zigzag(out, number)
        before = number
        if kind not in {TRUE, FALSE}:
            _write_element(out, kind, content)
    out.append(0)


def _write_element(out: bytearray, kind: int, content: Any) -> None:  # noqa: ANN401 - any Thrift content
    if kind in {TRUE, FALSE, BYTE}:
        out.append(content)
    elif kind in {I16, I32, I64}:
        _write_zigzag(out, content)
    elif kind == DOUBLE:
        out += content
    elif kind == BINARY:
        _write_varint(out, len(content))
        out += content
    elif kind == STRUCT:
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
