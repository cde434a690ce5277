"""`gridgram providers` and `gridgram providers check`, against a source that runs here."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import orjson

from providers.registry import load_providers
from tests.providers.tape import Tape, running_tape
from tests.running import gridgram

if TYPE_CHECKING:
    from pathlib import Path

    from aiohttp import web

MIX = [("gas", 40.0), ("nuclear", 20.0), ("wind", 30.0), ("imports", 10.0)]


class British(Tape):
    """The British source: any span that is asked for, at 150 g/kWh."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer with the half hours between the two times of the path."""
        first, end = (datetime.strptime(part, "%Y-%m-%dT%H:%MZ").replace(tzinfo=UTC) for part in request.path.split("/")[-2:])
        starts = [first + timedelta(minutes=30 * step) for step in range(int((end - first) / timedelta(minutes=30)))]
        mix = {"generationmix": [{"fuel": fuel, "perc": share} for fuel, share in MIX]}
        told = mix if "generation" in request.path else {"intensity": {"forecast": 150, "actual": 150, "index": "moderate"}}
        slots = [{"from": f"{start:%Y-%m-%dT%H:%MZ}", "to": f"{start + timedelta(minutes=30):%Y-%m-%dT%H:%MZ}", **told} for start in starts]
        self.answers[request.path] = orjson.dumps({"data": slots})
        return await super().answer(request)


def settings_of(tape: Tape, *on: str) -> dict[str, str]:
    """Those that turn all sources off but these, which are asked at the tape."""
    off = {f"GRIDGRAM_PROVIDERS__{name.upper()}__ENABLED": "false" for name in load_providers() if name not in on}
    return off | {f"GRIDGRAM_PROVIDERS__{name.upper()}__URL": tape.address for name in on} | {"GRIDGRAM_OFFLINE": "0"}


async def test_one_source_is_asked_by_its_name_and_all_that_are_on_without_one(tmp_path: Path) -> None:
    async with running_tape(British()) as tape:
        settings = settings_of(tape, "gb", "gb_mix", "eia")
        one, every = await asyncio.gather(
            asyncio.to_thread(gridgram, ["providers", "check", "gb"], tmp_path / "a", settings=settings),
            asyncio.to_thread(gridgram, ["providers", "check", "--json"], tmp_path / "b", settings=settings),
        )

    assert (one.returncode, one.stderr) == (0, "")
    assert one.stdout.startswith("gb for GB, ")
    assert "48 points" in one.stdout
    assert "direct: 24 h, " in one.stdout
    assert "mean 150.0 g/kWh" in one.stdout
    assert every.returncode == 0
    assert [check["provider"] for check in orjson.loads(every.stdout)["checks"]] == ["gb", "gb_mix"]
    assert orjson.loads(every.stdout)["failed"] == []


async def test_a_source_that_fails_ends_the_check_of_all_with_one_and_is_named(tmp_path: Path) -> None:
    async with running_tape(British()) as tape:
        tape.mode = "401"
        told = await asyncio.to_thread(gridgram, ["providers", "check"], tmp_path, settings=settings_of(tape, "gb"))

    assert told.returncode == 1
    assert told.stdout == ""
    assert "gb refused the key for GB (HTTP 401)" in told.stderr
