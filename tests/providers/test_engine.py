"""The engine against a source that misbehaves in every way it can: a real server on loopback, and a small provider of its own."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import orjson
import pytest

from gridgram.errors import UpstreamError
from gridgram.fuels import Fuel
from gridgram.interval import Interval, to_microseconds
from gridgram.mix_series import MixUnit
from gridgram.quality import Quality, Scope, Signal
from gridgram.zones import Zones
from providers import engine as engine_module
from providers.base import Batch, Login, MixPoint, PointFault, Provider, ProviderInfo, Request, Secret
from providers.client import pause_seconds
from providers.engine import Engine, Options
from providers.errors import AnswerTooLarge, KeyRefused, NotThere, RateLimited, RequestRefused, TooSlow, Unreachable, UpstreamFault
from providers.health import FAILURES_TO_OPEN, Health
from providers.hourly import hours_of
from providers.reading import read_json, spans
from tests.providers.tape import running_tape

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.providers.tape import Tape

NOW = datetime(2024, 3, 12, tzinfo=UTC)
DAY = Interval(datetime(2024, 3, 10, tzinfo=UTC), datetime(2024, 3, 11, tzinfo=UTC))
FR = Zones.load()["FR"]
CANARY = "CANARY-7f3a"
SOON = 0.6


def plan(zone: str, interval: Interval, now: datetime) -> list[Request]:
    del now
    return [Request("https://toy.example/mix", zone, part, query=(("from", f"{part.start:%H}"),)) for part in spans(interval, DAY_LENGTH)]


DAY_LENGTH = timedelta(days=1)


def parse(request: Request, body: bytes) -> Batch:
    rows = read_json(body, "toy")
    if not isinstance(rows, list):
        raise UpstreamError(f"toy answered for {request.zone} with something that is not a list of rows")
    points = [
        MixPoint(
            to_microseconds(datetime.fromisoformat(row["start"])),
            row["minutes"],
            {Fuel(f): mw for f, mw in row["mw"].items()},
            Quality.MEASURED,
        )
        for row in rows
        if "mw" in row
    ]
    return Batch(points, [PointFault(row["start"], "no mix") for row in rows if "mw" not in row])


TOY = Provider(
    info=ProviderInfo(
        "toy", "Toy", ("history",), (Signal.LIFECYCLE, Signal.DIRECT), (Scope.PRODUCTION,), True, "CC0", "Toy", "https://toy.example", ""
    ),
    zones={"FR": "F"},
    plan=plan,
    parse=parse,
    resolution_minutes=30,
    lag=timedelta(hours=1),
    settles_after=timedelta(days=1),
    longest_span=DAY_LENGTH,
    requests_per_minute=6_000,
    mix_unit=MixUnit.MEGAWATTS,
    secrets=(Secret("key", "query", "api_key"),),
)


def row(hour: int, minute: int = 0, minutes: int = 30, **mw: float) -> dict[str, object]:
    return {
        "start": f"2024-03-10T{hour:02d}:{minute:02d}:00+00:00",
        "minutes": minutes,
        "mw": mw or {"gas": 100.0 + hour, "nuclear": 100.0},
    }


def day(**changed: dict[str, object]) -> list[dict[str, object]]:
    return [changed.get(f"h{hour}", row(hour, minute)) for hour in range(24) for minute in (0, 30)]


@pytest.fixture
async def tape() -> AsyncIterator[Tape]:
    async with running_tape() as tape:
        tape.answers["/mix"] = orjson.dumps(day())
        yield tape


@pytest.fixture
async def engine(tape: Tape, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Engine]:
    monkeypatch.setattr(engine_module, "FIRST_WAIT_SECONDS", 0.01)
    engine = Engine({"toy": Options({"key": CANARY}, tape.address)}, lambda: NOW)
    yield engine
    await engine.close()


async def test_a_day_of_half_hours_becomes_a_day_of_hours_by_both_signals(engine: Engine, tape: Tape) -> None:
    fetched = await engine.fetch(TOY, FR, DAY, 5)

    assert [series.signal for series in fetched.series] == [Signal.LIFECYCLE, Signal.DIRECT]
    lifecycle, direct = fetched.series
    gas_shares = [(100 + hour) / (200 + hour) for hour in range(24)]
    assert lifecycle.g_per_kwh.tolist() == pytest.approx([490 * gas + 12 * (1 - gas) for gas in gas_shares])
    assert direct.g_per_kwh.tolist() == pytest.approx([370 * gas for gas in gas_shares])
    assert tape.seen[0].path == "/mix"
    assert tape.seen[0].query["api_key"] == CANARY


async def test_an_hour_of_which_a_part_is_missing_stays_missing(engine: Engine, tape: Tape) -> None:
    tape.answers["/mix"] = orjson.dumps(day()[:-1])

    fetched = await engine.fetch(TOY, FR, DAY, 5)

    assert fetched.series[0].quality.tolist()[-2:] == [2, 0]


async def test_a_bad_row_is_listed_and_the_others_are_kept(engine: Engine, tape: Tape) -> None:
    rows = day()
    rows[3] = {"start": "2024-03-10T01:30:00+00:00"}
    rows[10] = row(5, 0, gas=2_147_220_000.0)
    rows[20] = row(10, 0, gas=-5_000.0, nuclear=100.0)
    tape.answers["/mix"] = orjson.dumps(rows)

    fetched = await engine.fetch(TOY, FR, DAY, 5)

    assert [fault.where for fault in fetched.faults] == ["2024-03-10T01:30:00+00:00", "2024-03-10T05:00:00Z", "2024-03-10T10:00:00Z"]
    assert [hour for hour, quality in enumerate(fetched.series[0].quality.tolist()) if not quality] == [1, 5, 10]


async def test_a_mix_without_a_usual_fuel_is_called_estimated(engine: Engine, tape: Tape) -> None:
    rows = day()
    rows[6] = row(3, 0, gas=100.0)
    tape.answers["/mix"] = orjson.dumps(rows)

    fetched = await engine.fetch(TOY, FR, DAY, 5)

    assert [hour for hour, quality in enumerate(fetched.series[0].quality.tolist()) if quality == 4] == [3]


async def test_a_feed_that_repeats_itself_for_long_is_called_estimated(engine: Engine, tape: Tape) -> None:
    tape.answers["/mix"] = orjson.dumps([row(hour, minute, gas=100.0, nuclear=100.0) for hour in range(24) for minute in (0, 30)])

    fetched = await engine.fetch(TOY, FR, DAY, 5)

    assert set(fetched.series[0].quality.tolist()) == {4}


async def test_a_slip_of_a_thousand_in_one_row_is_caught(engine: Engine, tape: Tape) -> None:
    rows = day()
    rows[6] = row(3, 0, gas=100_000.0, nuclear=100_000.0)
    tape.answers["/mix"] = orjson.dumps(rows)

    fetched = await engine.fetch(TOY, FR, DAY, 5)

    assert [fault.where for fault in fetched.faults] == ["2024-03-10T03:00:00Z"]


@pytest.mark.parametrize(
    ("mode", "error", "most_calls"),
    [
        ("slow", TooSlow, 1),
        ("stall", TooSlow, 1),
        ("drip", TooSlow, 1),
        ("reset", Unreachable, 3),
        ("truncated", Unreachable, 3),
        ("html", UpstreamError, 1),
        ("empty object", UpstreamError, 1),
        ("redirect", RequestRefused, 1),
        ("500", UpstreamFault, 3),
        ("503", UpstreamFault, 3),
        ("400", RequestRefused, 1),
        ("401", KeyRefused, 1),
        ("403", KeyRefused, 1),
        ("429", RateLimited, 1),
    ],
)
async def test_each_fault_of_a_source_is_one_named_error_within_the_deadline_and_tells_no_secret(
    engine: Engine, tape: Tape, mode: str, error: type[UpstreamError], most_calls: int
) -> None:
    tape.mode = mode
    started = time.monotonic()

    with pytest.raises(error) as caught:
        await engine.fetch(TOY, FR, DAY, SOON)

    assert time.monotonic() - started < SOON + 0.3
    assert 1 <= tape.calls <= most_calls
    shown = f"{caught.value!s} {caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r} {engine.health_of(TOY)!r}"
    assert CANARY not in shown
    assert "api_key" not in shown


async def test_a_source_that_is_not_there_is_asked_once(tape: Tape) -> None:
    engine = Engine({"toy": Options({"key": CANARY}, "http://127.0.0.1:1")}, lambda: NOW)
    started = time.monotonic()

    with pytest.raises(NotThere):
        await engine.fetch(TOY, FR, DAY, SOON)
    await engine.close()

    assert time.monotonic() - started < 0.2
    assert tape.calls == 0


async def test_a_bomb_is_dropped_at_the_bound_and_memory_stays_low(engine: Engine, tape: Tape) -> None:
    tape.mode = "bomb"
    before = _resident_mib()

    with pytest.raises(AnswerTooLarge):
        await engine.fetch(TOY, FR, DAY, 10)

    assert _resident_mib() - before < 32


def _resident_mib() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


async def test_a_redirect_carries_no_secret_to_another_place(engine: Engine, tape: Tape) -> None:
    async with running_tape() as elsewhere:
        tape.mode, tape.elsewhere = "redirect", elsewhere.address

        with pytest.raises(RequestRefused):
            await engine.fetch(TOY, FR, DAY, SOON)

        assert elsewhere.calls == 0


@pytest.mark.parametrize(
    ("retry_after", "paused_seconds"),
    [
        ("120", 120),
        ("a date", 600),
        (None, 60),
        ("-5", 60),
        ("1000000000", 3_600),
        ("soon", 60),
    ],
)
async def test_a_429_is_obeyed_for_as_long_as_it_says_up_to_an_hour(
    engine: Engine, tape: Tape, retry_after: str | None, paused_seconds: int
) -> None:
    tape.mode = "429"
    if retry_after == "a date":
        retry_after = format_datetime(datetime.now(UTC) + timedelta(seconds=paused_seconds), usegmt=True)
    tape.headers = {"Retry-After": retry_after} if retry_after else {}

    with pytest.raises(RateLimited):
        await engine.fetch(TOY, FR, DAY, SOON)
    with pytest.raises(Unreachable, match="left alone"):
        await engine.fetch(TOY, FR, DAY, SOON)

    assert tape.calls == 1
    health, now = engine.health_of(TOY), time.monotonic()
    assert not health.is_admitted(now + paused_seconds - 30)
    assert health.is_admitted(now + paused_seconds + 1)


def test_a_retry_after_date_without_a_zone_is_utc() -> None:
    assert pause_seconds("Tue, 12 Mar 2024 00:02:00 -0000", NOW) == 120


async def test_a_refused_key_is_shown_once_in_a_quarter_of_an_hour(engine: Engine, tape: Tape) -> None:
    tape.mode = "401"

    for _ in range(5):
        with pytest.raises(UpstreamError):
            await engine.fetch(TOY, FR, DAY, SOON)

    assert tape.calls == 1


async def test_five_failures_open_the_breaker_and_an_answer_closes_it(engine: Engine, tape: Tape, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "ATTEMPTS", 1)
    tape.mode = "500"
    for _ in range(FAILURES_TO_OPEN):
        with pytest.raises(UpstreamFault):
            await engine.fetch(TOY, FR, DAY, SOON)

    with pytest.raises(Unreachable, match="left alone"):
        await engine.fetch(TOY, FR, DAY, SOON)
    assert tape.calls == FAILURES_TO_OPEN

    monkeypatch.setattr(engine.health_of(TOY), "_open_until", time.monotonic() - 1)
    tape.mode = "ok"
    await engine.fetch(TOY, FR, DAY, SOON)

    assert engine.health_of(TOY).failures_in_a_row == 0


async def test_a_source_that_fails_for_a_minute_gets_at_most_a_fifth_more_calls_than_fetches(engine: Engine, tape: Tape) -> None:
    """Two fetches a second for a minute, by the clock of the breaker."""
    tape.mode = "500"
    health = engine.health_of(TOY)
    fetches = 120

    for _ in range(fetches):
        with pytest.raises(UpstreamError):
            await engine.fetch(TOY, FR, DAY, SOON)
        health._open_until -= 0.5

    assert health.calls + health.refused == fetches
    assert tape.calls == health.calls + health.retries
    assert tape.calls <= 12  # five until the breaker opens and the four retries, then a probe each half minute


async def test_retries_come_out_of_a_budget_that_sound_answers_fill(engine: Engine, tape: Tape) -> None:
    health = engine.health_of(TOY)
    while health.may_retry():
        pass
    tape.mode = "500"
    with pytest.raises(UpstreamFault):
        await engine.fetch(TOY, FR, DAY, SOON)
    assert tape.calls == 1

    tape.mode = "ok"
    for _ in range(6):
        await engine.fetch(TOY, FR, DAY, SOON)
    tape.mode = "500"
    with pytest.raises(UpstreamFault):
        await engine.fetch(TOY, FR, DAY, SOON)

    assert tape.calls == 1 + 6 + 2


def test_of_a_source_that_is_down_one_probe_at_a_time_is_let_through() -> None:
    health = Health("toy")
    for _ in range(FAILURES_TO_OPEN):
        health.admit(0.0)
        health.failed(UpstreamFault("it failed"), 0.0)

    assert not health.is_admitted(29.9)
    health.admit(30.1)
    with pytest.raises(Unreachable):
        health.admit(30.2)


async def test_overlapping_fetches_agree_and_many_short_ones_give_what_one_long_one_gives(engine: Engine, tape: Tape) -> None:
    tape.answers["/mix"] = orjson.dumps([row(hour, minute, gas=100.0 + hour, nuclear=80.0) for hour in range(24) for minute in (0, 30)])
    start = DAY.start

    long = (await engine.fetch(TOY, FR, DAY, 5)).series[0]
    short = [
        (await engine.fetch(TOY, FR, Interval(start + timedelta(hours=h), start + timedelta(hours=h + 5)), 5)).series[0]
        for h in range(0, 20, 3)
    ]

    for series in short:
        same = long.window(series.first_hour, series.end_hour)
        assert series.g_per_kwh.tobytes() == same.g_per_kwh.tobytes()


async def test_a_fuel_that_one_half_hour_does_not_report_is_not_taken_for_zero(engine: Engine, tape: Tape) -> None:
    rows = day()
    rows[6] = row(3, 0, gas=100.0)
    rows[7] = row(3, 30, gas=100.0, nuclear=100.0)
    tape.answers["/mix"] = orjson.dumps(rows)

    fetched = await engine.fetch(TOY, FR, DAY, 5)

    assert fetched.series[0].g_per_kwh[3] == pytest.approx((490 + 12) / 2)


async def test_a_source_gives_no_signal_that_it_does_not_declare(engine: Engine) -> None:
    only_lifecycle = replace(TOY, info=replace(TOY.info, signals=(Signal.LIFECYCLE,)))

    fetched = await engine.fetch(only_lifecycle, FR, DAY, 5)

    assert [series.signal for series in fetched.series] == [Signal.LIFECYCLE]


def logged_in(mode: str) -> Provider:
    """The toy with a login; `mode` is what the path of the login answers with."""
    login = Login("https://toy.example/login", lambda body: str(read_json(body, "toy")[mode]), timedelta(minutes=30))
    return replace(TOY, secrets=(Secret("token", "header", "Authorization", "Bearer {}"),), login=login)


async def test_a_token_is_fetched_once_and_sent_with_every_request(tape: Tape) -> None:
    engine = Engine({"toy": Options({"username": "ada", "password": CANARY}, tape.address)}, lambda: NOW)
    tape.answers["/login"] = b'{"token": "t-1"}'

    for _ in range(3):
        await engine.fetch(logged_in("token"), FR, DAY, 5)
    await engine.close()

    assert [request.path for request in tape.seen] == ["/login", "/mix", "/mix", "/mix"]
    assert tape.seen[0].headers["Authorization"].startswith("Basic ")
    assert {request.headers["Authorization"] for request in list(tape.seen)[1:]} == {"Bearer t-1"}


@pytest.mark.parametrize("secret", [CANARY, "ab+cd/ef=gh", "0b6ff8a1-a-key-that-is-longer-than-what-an-error-quotes-of-an-answer-5d1c"])
@pytest.mark.parametrize("written", [str, quote_plus, quote], ids=["plain", "as a form writes it", "as a path writes it"])
async def test_what_a_source_echoes_of_a_secret_is_struck_out(tape: Tape, secret: str, written: Callable[[str], str]) -> None:
    engine = Engine({"toy": Options({"key": secret}, tape.address)}, lambda: NOW)
    tape.answers["/mix"] = f'{{"api_key": "{written(secret)}", broken'.encode()

    with pytest.raises(UpstreamError) as caught:
        await engine.fetch(TOY, FR, DAY, SOON)
    await engine.close()

    told = f"{caught.value!s}{caught.value!r}{engine.health_of(TOY)!r}"
    assert not [form for form in (secret[:12], written(secret)[:12]) if form in told]
    assert "***" in str(caught.value)


async def test_several_requests_that_need_a_token_log_in_once(tape: Tape) -> None:
    engine = Engine({"toy": Options({"username": "ada", "password": CANARY}, tape.address)}, lambda: NOW)
    tape.answers["/login"] = b'{"token": "t-1"}'

    await engine.fetch(logged_in("token"), FR, Interval(DAY.start, DAY.start + timedelta(days=6)), 5)
    await engine.close()

    assert [request.path for request in tape.seen].count("/login") == 1


async def test_a_mistake_in_a_sources_own_code_is_an_error_of_that_source(engine: Engine) -> None:
    def broken(request: Request, body: bytes) -> Batch:
        raise KeyError(f"{request.zone}{body[:1]!r}")

    with pytest.raises(UpstreamError, match="could not be read"):
        await engine.fetch(replace(TOY, parse=broken), FR, DAY, SOON)

    assert engine.health_of(TOY).failures_in_a_row == 1


async def test_what_came_is_kept_when_another_part_failed(engine: Engine) -> None:
    def plan_two(zone: str, interval: Interval, now: datetime) -> list[Request]:
        return [*plan(zone, interval, now), Request("https://toy.example/absent", zone, interval)]

    fetched = await engine.fetch(replace(TOY, plan=plan_two), FR, DAY, 5)

    assert isinstance(fetched.error, RequestRefused)
    assert fetched.series[0].quality.all()


async def test_a_success_does_not_lift_a_pause_that_the_source_asked_for() -> None:
    health = Health("toy")
    health.failed(RateLimited("too often", 120), 0.0)
    health.succeeded(0.1, NOW)

    assert not health.is_admitted(100.0)
    assert health.is_admitted(121.0)


def hour_point(start_minute: int, minutes: int, **mw: float) -> MixPoint:
    start = to_microseconds(DAY.start) + start_minute * 60_000_000
    return MixPoint(start, minutes, {Fuel(fuel): power for fuel, power in mw.items()}, Quality.MEASURED)


@pytest.mark.parametrize(
    "points",
    [
        [hour_point(30, 60, gas=1)],
        [hour_point(0, 90, gas=1)],
        [hour_point(0, 60, gas=1), *(hour_point(minute, 15, gas=2) for minute in (15, 30, 45))],
        [hour_point(minute, 15, gas=1) for minute in (0, 15, 30)],
    ],
    ids=["begins at half past", "an hour and a half", "overlapping parts", "a quarter is missing"],
)
def test_points_that_do_not_make_a_whole_hour_make_none(points: list[MixPoint]) -> None:
    assert hours_of(points, TOY, "FR", DAY.first_hour, DAY.end_hour, NOW).series == []


def test_a_point_of_three_hours_is_three_whole_hours() -> None:
    lifecycle, _ = hours_of([hour_point(0, 180, gas=1)], TOY, "FR", DAY.first_hour, DAY.end_hour, NOW).series

    assert lifecycle.quality.tolist() == [2, 2, 2] + [0] * 21


def test_an_hour_whose_parts_tell_of_different_fuels_is_estimated() -> None:
    points = [hour_point(0, 15, gas=100, coal=9_000), *(hour_point(minute, 15, gas=100) for minute in (15, 30, 45))]

    lifecycle, _ = hours_of(points, TOY, "FR", DAY.first_hour, DAY.end_hour, NOW).series

    assert lifecycle.quality[0] == 4


async def test_a_secret_that_looks_like_a_number_of_the_answer_changes_no_number(tape: Tape) -> None:
    engine = Engine({"toy": Options({"key": "100"}, tape.address)}, lambda: NOW)
    tape.answers["/mix"] = orjson.dumps([*day(), {"start": "of 100"}])

    fetched = await engine.fetch(TOY, FR, DAY, 5)
    await engine.close()

    assert fetched.series[0].g_per_kwh[0] == pytest.approx((490 + 12) / 2)
    assert [fault.detail for fault in fetched.faults] == ["1 rows could not be read; it echoes a secret, so they are not quoted"]
