"""One month of hourly mixes as bytes and back: packed little-endian arrays, never a pickle. They are kept by `SeriesStore.swap`.

    magic "GGMX" | version 1 | zlib of (header | zone | table | arrays)

The checksum is that of whatever is kept (`cache.kept`), and covers the name too. The header repeats zone and month. The table is JSON:
the fuels that any hour reports, and the sources. Arrays: one of float64 for each of these fuels (NaN: not reported), quality and source
(one byte an hour), and when each hour came (int64, microseconds since 1970).
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson

from cache.codec import CodecError
from gridgram.fuels import Fuel
from gridgram.interval import Month
from gridgram.mix_series import FUELS, MAX_SOURCES, MixSeries, MixSource, MixUnit
from gridgram.quality import MISSING_CODE, QUALITIES

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAGIC: Final = b"GGMX\x01"
COMPRESSION_LEVEL: Final = 1
"""Sources tell whole numbers and tenths: the fastest level makes 8 to 15 kB of a month of EIA, SMARD or ENTSO-E, in 0.6 ms."""
MAX_BODY_BYTES: Final = 256 * 1024
"""More than any month of all fuels and 255 sources takes."""

_HEADER: Final = struct.Struct("<HBHBI")
"""Year, month, hours, bytes of the zone, bytes of the table."""


def mix_name(zone: str, month: Month) -> str:
    """The name under which a month of a zone is kept."""
    return f"mix/{zone}/{month}"


def encode_mix(mix: MixSeries) -> bytes:
    """Pack one whole UTC month; equal series give equal bytes. Raises CodecError for anything else than a sound month."""
    month, present = Month.of_hour(mix.first_hour), mix.quality != MISSING_CODE
    _check(mix, month, present, mix.generation)
    generation = np.where(present[:, None], mix.generation, np.nan)
    fuels = [place for place in range(len(FUELS)) if not np.isnan(generation[:, place]).all()]
    used = [mix.sources[place] for place in np.unique(mix.source[present]).tolist()]
    source = np.zeros(len(present), np.uint8)
    source[present] = [used.index(mix.sources[place]) for place in mix.source[present].tolist()]
    rows = [[entry.provider, entry.unit.value, entry.licence, entry.attribution] for entry in used]
    zone, table = mix.zone.encode(), orjson.dumps([[FUELS[place].value for place in fuels], rows])
    parts = [
        _HEADER.pack(month.year, month.month, month.hours, len(zone), len(table)),
        zone,
        table,
        *(generation[:, place].astype("<f8").tobytes() for place in fuels),
        mix.quality.astype(np.uint8).tobytes(),
        source.tobytes(),
        np.where(present, mix.fetched_at, 0).astype("<i8").tobytes(),
    ]
    return MAGIC + zlib.compress(b"".join(parts), COMPRESSION_LEVEL)


def decode_mix(packed: bytes, zone: str, month: Month) -> MixSeries:
    """Unpack the month of this zone. Raises CodecError, and nothing else, for bytes that are anything else."""
    try:
        return _decode(packed, zone, month)
    except (ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError, struct.error, zlib.error) as error:
        raise CodecError(f"the mix of {zone} {month} cannot be understood: {error}") from error


def _decode(packed: bytes, zone: str, month: Month) -> MixSeries:
    if packed[: len(MAGIC)] != MAGIC:
        raise CodecError(f"the mix of {zone} {month} is not one of this version")
    unpacker = zlib.decompressobj()
    body = unpacker.decompress(packed[len(MAGIC) :], MAX_BODY_BYTES)
    if not unpacker.eof or unpacker.unused_data:
        raise CodecError(f"the mix of {zone} {month} does not end where it should")
    year, month_of_year, hours, zone_bytes, table_bytes = _HEADER.unpack_from(body)
    names_end = _HEADER.size + zone_bytes
    if (body[_HEADER.size : names_end].decode(), year, month_of_year, hours) != (zone, month.year, month.month, month.hours):
        raise CodecError(f"the mix of {zone} {month} is that of another month")
    fuels, rows = orjson.loads(body[names_end : names_end + table_bytes])
    places = [FUELS.index(Fuel(fuel)) for fuel in fuels]
    arrays = body[names_end + table_bytes :]
    if len(arrays) != hours * (8 * len(places) + 2 + 8) or len(set(places)) != len(places):
        raise CodecError(f"the mix of {zone} {month} has not the length that it says")
    return _checked(_series(zone, month, arrays, places, rows), month)


def _series(zone: str, month: Month, arrays: bytes, places: list[int], rows: list[list[Any]]) -> MixSeries:
    hours, numbers = month.hours, month.hours * 8 * len(places)
    generation = np.full((hours, len(FUELS)), np.nan)
    if places:
        generation[:, places] = np.frombuffer(arrays, "<f8", hours * len(places)).reshape(len(places), hours).T
    quality = np.frombuffer(arrays, np.uint8, hours, numbers)
    source = np.frombuffer(arrays, np.uint8, hours, numbers + hours)
    fetched_at = np.frombuffer(arrays, "<i8", hours, numbers + 2 * hours).astype(np.int64, copy=False)
    sources = tuple(
        MixSource(str(provider), MixUnit(unit), str(licence), str(attribution)) for provider, unit, licence, attribution in rows
    )
    for column in (generation, fetched_at):
        column.flags.writeable = False
    return MixSeries(zone, month.first_hour, generation, quality, source, fetched_at, sources)


def _checked(mix: MixSeries, month: Month) -> MixSeries:
    _check(mix, month, mix.quality != MISSING_CODE, mix.generation)
    return mix


def _check(mix: MixSeries, month: Month, present: NDArray[np.bool_], generation: NDArray[np.float64]) -> None:
    """Raise CodecError unless every hour that is present tells of some generation, of finite amounts, by a source that is named."""
    told = generation[present]
    columns = (present, mix.source, mix.fetched_at, generation)
    if mix.first_hour != month.first_hour or {len(column) for column in columns} != {month.hours}:
        raise CodecError(f"the mix of {mix.zone} is not one whole UTC month")
    if np.isinf(told).any() or (told < 0).any() or not (np.nansum(told, axis=1) > 0).all():
        raise CodecError(f"the mix of {mix.zone} {month} has an hour without a sound amount")
    if len(mix.sources) > MAX_SOURCES or mix.quality.max() > len(QUALITIES):
        raise CodecError(f"the mix of {mix.zone} {month} has an unknown quality or more than {MAX_SOURCES} sources")
    if present.any() and mix.source[present].max() >= len(mix.sources):
        raise CodecError(f"the mix of {mix.zone} {month} has an hour whose source is not in the table")
