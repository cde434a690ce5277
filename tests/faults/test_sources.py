"""All sources of a service break at once, each in its own way: held hours are answered as ever, others in time, as what they are."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest

from gridgram.interval import Month, format_hour, hour_start
from providers.registry import load_providers
from tests.faults.load import check_all_right, client, ms, p99, steady_load, worst
from tests.faults.truth import import_rows, write_rows
from tests.providers.tape import running_tape
from tests.running import running_service, tell
from tests.wire import memory_mib

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import aiohttp

    from tests.running import RunningService

MODES = ("slow", "drip", "stall", "reset", "truncated", "html", "empty object", "redirect", "bomb", "500", "429", "401", "gone")
"""What the sources do, one each in this order; `gone` is a port where nobody listens."""
UPSTREAM_SECONDS = 1.5
LATE_SECONDS = 1.0
"""An answer may come so much later than that, where thirteen sources break on a machine that does other things too."""
MOST_MIB = 96.0
"""Memory for a dozen fetches at once, one of them a bomb of 300 MiB that is read up to its bound, and what libraries take at first use."""
MOST_CALLS = 12
"""Of one source: three tries of one request, for as many requests as a day of it takes, and no more for five who ask."""
UNHELD_HOUR = Month(2024, 3).first_hour + 9 * 24
"""A day that is not imported."""


def broken_sources(modes: Sequence[str]) -> list[tuple[str, str, str]]:
    """Keyless sources that go back to that day, each with a mode and a zone of its own."""
    broken: list[tuple[str, str, str]] = []
    for name, provider in sorted(load_providers().items()):
        if not provider.needed_settings and (provider.history_from is None or provider.history_from < hour_start(UNHELD_HOUR)):
            taken = {zone for _, zone, _ in broken}
            zone = next((zone for zone in provider.zones if zone not in taken), None)
            if zone is not None:
                broken.append((name, zone, modes[len(broken) % len(modes)]))
    return broken


async def ask_unheld(session: aiohttp.ClientSession, service: RunningService, zone: str) -> tuple[float, int, Any]:
    """Ask for a day that only a source could tell; how long it took, the status, and the answer."""
    energy = {"start": format_hour(UNHELD_HOUR), "step": "PT1H", "kwh": [1.0] * 24}
    started = time.perf_counter()
    async with session.post(f"{service.address}/v1/emissions", json={"location": zone, "energy": energy, "include": ["hours"]}) as response:
        return time.perf_counter() - started, response.status, await response.json()


async def held_hours_do_not_notice(folder: Path, modes: Sequence[str], requests_per_second: float, seconds: float) -> None:
    sources = broken_sources(modes)
    store = f"sqlite:///{folder}/series.sqlite"
    write_rows(folder / "hours.csv")
    await import_rows(store, folder / "hours.csv")
    settings = {"GRIDGRAM_OFFLINE": "false", "GRIDGRAM_STORE": store, "GRIDGRAM_UPSTREAM_SECONDS": str(UPSTREAM_SECONDS)}
    settings |= {f"GRIDGRAM_PROVIDERS__{name.upper()}__ENABLED": "false" for name in load_providers()}
    async with AsyncExitStack() as stack:
        elsewhere = await stack.enter_async_context(running_tape())
        tapes = {}
        for name, _, mode in sources:
            tape = tapes[name] = await stack.enter_async_context(running_tape())
            tape.mode, tape.elsewhere = mode, elsewhere.address
            settings[f"GRIDGRAM_PROVIDERS__{name.upper()}__ENABLED"] = "true"
            settings[f"GRIDGRAM_PROVIDERS__{name.upper()}__URL"] = "http://127.0.0.1:1" if mode == "gone" else tape.address
        service = stack.enter_context(running_service(folder / "home", settings))
        sound = await steady_load(service.address, requests_per_second, seconds / 2)
        before = memory_mib(service)
        async with client() as session:
            asking = [asyncio.ensure_future(ask_unheld(session, service, zone)) for _, zone, _ in sources for _ in range(5)]
            heard = await steady_load(service.address, requests_per_second, seconds, seed=2)
            answers = await asyncio.gather(*asking)
        grown = memory_mib(service) - before
        calls = {name: tape.calls for name, tape in tapes.items()}

    slowest = max(took for took, _, _ in answers)
    tell(f"{len(sources)} sources broken: held p99 {ms(p99(sound))}, then {ms(p99(heard))}, worst {ms(worst(heard))};")
    tell(f"unheld at most {slowest:.2f} s; memory {grown:+.0f} MiB; calls {calls}")
    check_all_right([*sound, *heard])
    assert all(one.is_whole for one in [*sound, *heard])
    for took, status, answer in answers:
        assert status == 200, answer
        assert {hour["provider"] for hour in answer["hours"]} == {"reference"}
        assert answer["coverage"].keys() <= {"typical", "annual"}
        assert took <= UPSTREAM_SECONDS + LATE_SECONDS
    assert grown <= MOST_MIB
    assert max(calls.values()) <= MOST_CALLS
    assert elsewhere.calls == 0


async def test_when_all_sources_break_held_hours_are_answered_and_the_rest_is_typical_in_time(tmp_path: Path) -> None:
    await held_hours_do_not_notice(tmp_path, MODES, 60, 2.0)


@pytest.mark.soak
@pytest.mark.parametrize("mode", MODES)
async def test_when_every_source_breaks_in_this_way_held_hours_are_answered_as_ever(tmp_path: Path, mode: str) -> None:
    await held_hours_do_not_notice(tmp_path, [mode], 200, 8.0)
