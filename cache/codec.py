"""One month of hours as bytes and back: packed little-endian arrays under a checksum, never a pickle.

    magic "GGSC" | version 1 | BLAKE2b-128 of all that follows | header | sources | arrays

The header repeats zone, signal and month, so a chunk that lies under the wrong key is refused. Sources are a JSON table. Arrays:
g_per_kwh, then low and high unless both equal it everywhere (float64), quality and source (one byte an hour).
"""

from __future__ import annotations

import json
import struct
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import numpy as np

from gridgram.errors import StoreError
from gridgram.interval import Month, from_microseconds, to_microseconds
from gridgram.quality import MISSING_CODE, QUALITIES, Scope, Signal
from gridgram.series import MAX_SOURCES, IntensitySeries, Source

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAGIC: Final = b"GGSC"
VERSION: Final = 1
CHECKSUM_BYTES: Final = 16

_PREFIX: Final = len(MAGIC) + 1 + CHECKSUM_BYTES
_HEADER: Final = struct.Struct("<HBHBBBI")
"""Year, month, hours, has a band, bytes of the zone, bytes of the signal, bytes of the source table."""


class CodecError(StoreError):
    """Bytes that are not a whole chunk of this month, or a series that does not fit into one."""


def encode_month(series: IntensitySeries) -> bytes:
    """Pack one whole UTC month; equal series give equal bytes. Raises CodecError for anything else than a sound month."""
    month = Month.of_hour(series.first_hour)
    present = series.quality != MISSING_CODE
    _check_month(series, month, present)
    g_per_kwh, low, high = (np.where(present, column, np.nan) for column in (series.g_per_kwh, series.low, series.high))
    has_band = bool((low[present] != g_per_kwh[present]).any() or (high[present] != g_per_kwh[present]).any())
    zone, signal, table = series.zone.encode(), series.signal.encode(), _encode_sources(series.sources)
    if len(zone) > 255:  # noqa: PLR2004 - its length is one byte
        raise CodecError(f"the zone key {series.zone[:40]!r} is longer than 255 bytes")
    numbers = [g_per_kwh, low, high] if has_band else [g_per_kwh]
    body = b"".join(
        [
            _HEADER.pack(month.year, month.month, month.hours, has_band, len(zone), len(signal), len(table)),
            zone,
            signal,
            table,
            *(column.astype("<f8").tobytes() for column in numbers),
            series.quality.astype(np.uint8).tobytes(),
            np.where(present, series.source, 0).astype(np.uint8).tobytes(),
        ],
    )
    return b"".join([MAGIC, bytes([VERSION]), _checksum(body), body])


def decode_month(packed: bytes, zone: str, signal: Signal, month: Month) -> IntensitySeries:
    """Unpack the chunk of this zone, signal and month; the arrays are read-only.

    Raises CodecError, and nothing else, for bytes that are damaged, cut, of another version, or of another month.
    """
    try:
        return _decode(packed, zone, signal, month)
    except (ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError, struct.error) as error:
        raise CodecError(f"the chunk of {zone} {signal} {month} cannot be understood: {error}") from error


def _decode(packed: bytes, zone: str, signal: Signal, month: Month) -> IntensitySeries:
    if packed[: len(MAGIC)] != MAGIC:
        raise CodecError(f"the chunk of {zone} {signal} {month} is not a Gridgram chunk")
    if packed[len(MAGIC) : len(MAGIC) + 1] != bytes([VERSION]):
        raise CodecError(f"the chunk of {zone} {signal} {month} is not of version {VERSION}")
    body = packed[_PREFIX:]
    if packed[len(MAGIC) + 1 : _PREFIX] != _checksum(body):
        raise CodecError(f"the chunk of {zone} {signal} {month} is damaged: its checksum does not match")
    year, month_of_year, hours, has_band, zone_bytes, signal_bytes, table_bytes = _HEADER.unpack_from(body)
    parts = _Parts(body, _HEADER.size)
    named = parts.take(zone_bytes).decode(), parts.take(signal_bytes).decode(), Month(year, month_of_year)
    if named != (zone, str(signal), month) or hours != month.hours:
        raise CodecError(f"the chunk of {zone} {signal} {month} is that of {named[0]} {named[1]} {named[2]}")
    sources = _decode_sources(parts.take(table_bytes))
    g_per_kwh = parts.numbers(hours)
    low, high = (parts.numbers(hours), parts.numbers(hours)) if has_band else (g_per_kwh, g_per_kwh)
    quality, source = parts.codes(hours), parts.codes(hours)
    parts.end()
    series = IntensitySeries(zone, signal, month.first_hour, g_per_kwh, low, high, quality, source, sources)
    _check_month(series, month, quality != MISSING_CODE)
    return series


def _check_month(series: IntensitySeries, month: Month, present: NDArray[np.bool_]) -> None:
    columns = (series.g_per_kwh, series.low, series.high)
    if series.first_hour != month.first_hour or {len(column) for column in (*columns, present, series.source)} != {month.hours}:
        raise CodecError(f"{series.zone} {series.signal} is not one whole UTC month")
    if not all(np.isfinite(column[present]).all() for column in columns):
        raise CodecError(f"{series.zone} {series.signal} {month} has an hour without a finite number")
    if len(series.sources) > MAX_SOURCES or series.quality.max() > len(QUALITIES):
        raise CodecError(f"{series.zone} {series.signal} {month} has an unknown quality or more than {MAX_SOURCES} sources")
    if present.any() and series.source[present].max() >= len(series.sources):
        raise CodecError(f"{series.zone} {series.signal} {month} has an hour whose source is not in the table")


def _checksum(body: bytes) -> bytes:
    return blake2b(body, digest_size=CHECKSUM_BYTES).digest()


def _encode_sources(sources: tuple[Source, ...]) -> bytes:
    return json.dumps(
        [
            [
                source.provider,
                source.signal,
                source.scope,
                source.licence,
                source.attribution,
                None if source.fetched_at is None else to_microseconds(source.fetched_at),
                source.detail,
            ]
            for source in sources
        ],
        separators=(",", ":"),
    ).encode()


def _decode_sources(table: bytes) -> tuple[Source, ...]:
    return tuple(
        Source(
            str(provider),
            Signal(signal),
            Scope(scope),
            str(licence),
            str(attribution),
            None if fetched_at is None else from_microseconds(fetched_at),
            str(detail),
        )
        for provider, signal, scope, licence, attribution, fetched_at, detail in json.loads(table)
    )


class _Parts:
    """Reads a body from front to back; asking for more than is there is a ValueError."""

    def __init__(self, body: bytes, offset: int) -> None:
        self._body = body
        self._offset = offset

    def take(self, size: int) -> bytes:
        part = self._body[self._offset : self._offset + size]
        if len(part) != size:
            msg = "it ends too early"
            raise ValueError(msg)
        self._offset += size
        return part

    def numbers(self, hours: int) -> NDArray[np.float64]:
        column = np.frombuffer(self.take(hours * 8), "<f8").astype(np.float64, copy=False)
        column.flags.writeable = False
        return column

    def codes(self, hours: int) -> NDArray[np.uint8]:
        return np.frombuffer(self.take(hours), np.uint8)

    def end(self) -> None:
        if self._offset != len(self._body):
            msg = "it goes on after its end"
            raise ValueError(msg)
