"""The way to a mix: the sources are asked for what is due, then what is held is told. Nothing typical ever stands in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gridgram.quality import MIX, QUALITY_CODES, Quality

if TYPE_CHECKING:
    from gridgram.mix_series import MixSeries
    from service.intensity import Intensity

_KNOWN = QUALITY_CODES[Quality.ESTIMATED]


async def read_mix(intensity: Intensity, zone: str, first_hour: int, end_hour: int) -> MixSeries:
    """The mix of the hours [first_hour, end_hour), explicit holes where no source told one."""
    await intensity.prepare(zone, MIX, first_hour, end_hour)
    return await intensity.mixes.read(zone, first_hour, end_hour)


async def read_mix_at_once(intensity: Intensity, zone: str, first_hour: int, end_hour: int) -> MixSeries:
    """As `read_mix`, but where answers come first without waiting even for hours that are not held."""
    await intensity.prepare_at_once(zone, MIX, first_hour, end_hour)
    return await intensity.mixes.read(zone, first_hour, end_hour)


def newest_mix(mix: MixSeries) -> MixSeries | None:
    """The newest hour that a source told of the past."""
    told = ((mix.quality > 0) & (mix.quality <= _KNOWN)).nonzero()[0]
    hour = mix.first_hour + int(told[-1]) if len(told) else None
    return None if hour is None else mix.window(hour, hour + 1)
