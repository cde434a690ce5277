"""Asking for footprints inside this process, offline."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from service.app import build_gridgram
from service.footprint.plan import read_footprint
from service.footprint.usecase import Footprints
from service.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

FRENCH = {"intensity_g_per_kwh": 57, "location": "FR"}


def footprint(home: Path, members: Any) -> Any:
    """The answer to one request; the store lies in `home`."""

    async def ask() -> Any:
        gridgram = build_gridgram(Settings(offline=True, store=f"sqlite:///{home / 'series.sqlite'}"))
        try:
            return await Footprints(gridgram).footprint(read_footprint(members, gridgram.now()))
        finally:
            await gridgram.intensity.close()

    return asyncio.run(ask())


def component(answer: Any, name: str) -> Any:
    return next(one for one in answer["components"] if one["component"] == name)


def phase(answer: Any, name: str) -> Any:
    return next(one for one in answer["phases"] if one["phase"] == name)
