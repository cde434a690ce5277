"""A running service over recorded sources that all die: what it holds it answers as before, the rest it tells for what it is."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from tests.providers.recorded import PROVIDERS, Recording, recorded_tape
from tests.running import running_service
from tests.shared import shared

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running import Service

    Hours = list[dict[str, Any]]

FRENCH = r"/eco2mix-national-tr/exports/json$"
HELD = (
    Recording("odre/national-tr_exports-json_2023-10.json", "rte", "FR", "2023-10-01T00:00:00Z", "2023-10-04T00:00:00Z", "", FRENCH),
    Recording(
        *("uk_carbonintensity/generation_range_2019-04.json", "gb_mix", "GB", "2019-04-01T00:00:00Z", "2019-04-07T23:00:00Z", ""),
        r"^/generation/",
    ),
    Recording("entsoe/A75_generation_FI.xml", "entsoe", "FI", "2025-10-21T12:00:00Z", "2025-10-24T12:00:00Z", "", r"^/api$"),
    Recording("caiso/fuelsource_2023-01-01.csv", "caiso", "US-CAL-CISO", "2023-01-01T08:00:00Z", "2023-01-01T23:00:00Z", "", "/20230101/"),
    Recording(
        *("ieso/GenOutputbyFuelHourly_2016_reduced.xml", "ieso", "CA-ON", "2016-01-01T05:00:00Z", "2016-01-08T05:00:00Z", ""),
        "/PUB_GenOutputbyFuelHourly_2016.xml$",
    ),
)
PROVIDER_OF = {recording.zone: recording.provider for recording in HELD}
MODES = ("500", "html", "stall", "redirect", "429")
"""One less than open the breaker, and one that makes a pause."""
QUALITIES = {"FR": "typical", "GB": "typical", "FI": "typical", "US-CAL-CISO": "typical", "CA-ON": "annual"}
WAIT_SECONDS = 1.0


def settings(address: str) -> dict[str, str]:
    """Those sources at the tape, all others off; a request waits a second for them."""
    on = {recording.provider for recording in HELD}
    off = {f"GRIDGRAM_PROVIDERS__{name.upper()}__ENABLED": "false" for name in PROVIDERS if name not in on}
    urls = {f"GRIDGRAM_PROVIDERS__{name.upper()}__URL": address for name in on}
    key = {"GRIDGRAM_PROVIDERS__ENTSOE__KEY": "made-up"}
    return {"GRIDGRAM_OFFLINE": "0", "GRIDGRAM_UPSTREAM_SECONDS": str(WAIT_SECONDS), "GRIDGRAM_REFRESH": "false"} | off | urls | key


async def hours(service: Service, zone: str, start: str, end: str) -> Hours:
    path = f"/v1/intensity?location={zone}&start={start}&end={end}"
    status, answer = await asyncio.to_thread(service.get, path)
    assert status == 200, answer
    return list(answer["hours"])


def how(told: Hours) -> set[tuple[str, str]]:
    return {(hour["provider"], hour["quality"]) for hour in told}


async def assert_answered(service: Service, held: dict[str, Hours], day: str) -> None:
    """Held hours are the same; another day comes from the reference, in little more than the time that a request waits for sources."""

    async def one(recording: Recording) -> None:
        started = time.monotonic()
        assert await hours(service, recording.zone, recording.start, recording.end) == held[recording.zone]
        other = await hours(service, recording.zone, f"{day}T00:00:00Z", f"{day}T23:00:00Z")
        assert len(other) == 23
        assert how(other) == {("reference", QUALITIES[recording.zone])}
        assert time.monotonic() - started < WAIT_SECONDS + 2

    await asyncio.gather(*(one(recording) for recording in HELD))


async def test_with_every_source_dead_held_hours_stay_and_the_rest_is_typical_or_annual_and_says_so(tmp_path: Path) -> None:
    shared("recordings")
    async with AsyncExitStack() as while_alive:
        tape = await while_alive.enter_async_context(recorded_tape())
        tape.held = list(HELD)
        tape.empty = {r"/eco2mix-national-cons-def/exports/json$": b"[]"}
        with running_service(tmp_path, settings(tape.address)) as service:
            held = {recording.zone: await hours(service, recording.zone, recording.start, recording.end) for recording in HELD}
            assert all({name for name, _ in how(told)} == {PROVIDER_OF[zone]} for zone, told in held.items())

            for day, mode in enumerate(MODES, start=1):
                calls, tape.mode = tape.calls, mode
                await assert_answered(service, held, f"2022-02-{day:02d}")
                assert tape.calls > calls
            await while_alive.aclose()  # nobody listens there any more
            await assert_answered(service, held, "2022-03-01")

            _, told = await asyncio.to_thread(service.get, "/v1/providers")
            assert (await asyncio.to_thread(service.get, "/readyz"))[0] == 200
            job = {"location": "FR", "energy": {"start": "2022-04-01T00:00:00Z", "step": "PT1H", "kwh": [1.0] * 24}}
            assert (await asyncio.to_thread(service.post, "/v1/emissions", job))[1]["coverage"] == {"typical": 1.0}

    health = {source["name"]: source["health"] for source in told["providers"]}
    assert {health[name] for name in PROVIDER_OF.values()} == {"down"}
