"""What is logged of a source that goes down and comes back, and the rate at which it is asked."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from providers.engine import Engine, Options
from providers.errors import OverRate, UpstreamFault
from providers.health import FAILURES_TO_OPEN, OPEN_SECONDS, Health
from tests.providers.tape import running_tape
from tests.providers.test_engine import DAY, FR, NOW, TOY

if TYPE_CHECKING:
    from collections.abc import MutableMapping


def events(logs: list[MutableMapping[str, object]]) -> list[object]:
    return [entry["event"] for entry in logs if str(entry["event"]).startswith("source.")]


def test_a_source_that_goes_down_is_logged_once_and_once_when_it_is_back() -> None:
    health, now = Health("toy"), 1_000.0

    with capture_logs() as logs:
        for _ in range(20):
            health.failed(UpstreamFault("toy failed at FR (HTTP 500)."), now)
            now += OPEN_SECONDS
        health.succeeded(0.1, NOW)
        health.succeeded(0.1, NOW)

    assert events(logs) == ["source.down", "source.back"]
    assert logs[0] == {
        "event": "source.down",
        "log_level": "warning",
        "provider": "toy",
        "kind": "fault",
        "detail": "toy failed at FR (HTTP 500).",
    }


def test_fewer_failures_than_open_the_breaker_are_not_logged() -> None:
    health = Health("toy")

    with capture_logs() as logs:
        for _ in range(FAILURES_TO_OPEN - 1):
            health.failed(UpstreamFault("toy failed."), 0.0)
        health.succeeded(0.1, NOW)

    assert events(logs) == []


async def test_a_source_is_asked_no_more_often_than_its_rate_and_who_finds_no_time_left_says_so_of_us() -> None:
    slow = replace(TOY, requests_per_minute=2)
    async with running_tape() as tape:
        tape.answers["/mix"] = b"[]"
        engine = Engine({"toy": Options({"key": "made-up"}, tape.address)}, lambda: NOW)
        for _ in range(2):
            await engine.fetch(slow, FR, DAY, 1)
        started = time.monotonic()

        with pytest.raises(OverRate, match="toy may not be asked that often"):
            await engine.fetch(slow, FR, DAY, 0.3)

        await engine.close()
        assert time.monotonic() - started < 0.6
        assert tape.calls == 2
        assert engine.health_of(slow).failures_in_a_row == 0
