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


class Pieces(io.StringIO):
    """A stream that tells in which pieces it was written."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []

    def write(self, text: str) -> int:
        self.pieces.append(text)
        return super().write(text)


def test_a_line_is_written_in_one_piece_so_that_no_other_comes_between_it_and_its_end() -> None:
    with redirect_stderr(Pieces()) as written:
        log_json("info")
        structlog.get_logger().info("one")
        structlog.get_logger().info("other")

    assert [json.loads(piece)["event"] for piece in written.pieces] == ["one", "other"]
    assert all(piece.endswith("\n") for piece in written.pieces)


def test_events_below_the_level_are_not_written() -> None:
    written = io.StringIO()
    with redirect_stderr(written):
        log_json("warning")
        structlog.get_logger().info("not.this")
        structlog.get_logger().warning("but.this")

    assert [json.loads(line)["event"] for line in written.getvalue().splitlines()] == ["but.this"]


def logged(secrets: tuple[str, ...], **facts: object) -> str:
    written = io.StringIO()
    with redirect_stderr(written):
        log_json("info", secrets)
        structlog.get_logger().info("some.event", **facts)
    return written.getvalue()


@pytest.mark.parametrize("name", ["key_file", "api_key", "token", "Authorization", "password", "X-API-Key", "client_secret", "Set-Cookie"])
def test_what_stands_under_the_name_of_a_secret_is_struck_out_however_deep(name: str) -> None:
    line = logged((), **{name: CANARY}, inner={name: CANARY, "list": [{name: CANARY}]})

    assert CANARY not in line
    assert json.loads(line)["inner"]["list"] == [{name: "***"}]


def test_the_name_of_a_key_is_no_secret() -> None:
    assert json.loads(logged((), key="tracker"))["key"] == "tracker"


@pytest.mark.parametrize(
    ("secret", "told"),
    [
        (CANARY, f"asked for https://source.example/?securityToken={CANARY}&x=1"),
        ('CAN"ARY\\51', 'it said CAN"ARY\\51 and broke'),
        ("CANARY/5 1+c9", "?k=CANARY%2F5%201%2Bc9&l=CANARY/5%201%2Bc9&m=CANARY%2F5+1%2Bc9"),
        ("CANÄRY-ß", "it said CANÄRY-ß and CAN%C3%84RY-%C3%9F"),
    ],
)
def test_a_configured_secret_is_struck_out_of_every_line_however_it_is_written(secret: str, told: str) -> None:
    line = logged((secret,), detail=told, deep=[{"er": (told,)}])

    assert "CAN" not in line
    assert "***" in json.loads(line)["detail"]


def test_a_secret_is_struck_out_of_tracebacks_and_of_what_json_has_no_word_for() -> None:
    def fail() -> None:
        raise RuntimeError(f"refused {CANARY}")

    written = io.StringIO()
    with redirect_stderr(written):
        log_json("info", (CANARY, "short"[:3]))
        try:
            fail()
        except RuntimeError as error:
            structlog.get_logger().exception("request.failed", error=error, odd=object(), pair={1: CANARY})

    assert CANARY not in written.getvalue()
    assert json.loads(written.getvalue())["exception"][0]["exc_value"] == "refused ***"


def test_a_secret_inside_another_leaves_nothing_of_the_longer_one() -> None:
    assert json.loads(logged(("abcd", "abcdefgh"), detail="x abcdefgh y abcd"))["detail"] == "x *** y ***"
