"""Log lines: one JSON object each, and nothing in them that a log must not hold."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr
from typing import TYPE_CHECKING

import pytest
import structlog

from service.logs import log_json

if TYPE_CHECKING:
    from collections.abc import Iterator

CANARY = "CANARY-51c9"


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    was = structlog.get_config()
    yield
    structlog.configure(**was)


def test_a_traceback_in_the_log_names_places_and_holds_no_local_variable() -> None:
    def fail(secret: str) -> None:
        raise RuntimeError("it failed" if secret else "")

    written = io.StringIO()
    with redirect_stderr(written):
        log_json("info")
        try:
            fail(CANARY)
        except RuntimeError:
            structlog.get_logger().exception("request.failed")

    (line,) = written.getvalue().splitlines()
    told = json.loads(line)
    assert (told["event"], told["level"]) == ("request.failed", "error")
    assert told["exception"][0]["exc_value"] == "it failed"
    assert [frame["name"] for frame in told["exception"][0]["frames"]][-1] == "fail"
    assert CANARY not in line


def test_events_below_the_level_are_not_written() -> None:
    written = io.StringIO()
    with redirect_stderr(written):
        log_json("warning")
        structlog.get_logger().info("not.this")
        structlog.get_logger().warning("but.this")

    assert [json.loads(line)["event"] for line in written.getvalue().splitlines()] == ["but.this"]
