"""API keys: how they are made and kept, who is let in, and what each may."""

from __future__ import annotations

import hmac
import random
import re
import statistics
import time
from contextlib import suppress
from string import ascii_letters
from typing import TYPE_CHECKING, Any

import pytest

from gridgram.errors import InvalidInput, SettingsError
from providers.errors import OverQuota
from providers.spending import SPENDER, spend
from service.keys import Key, find_key, key_text, new_key, read_keys
from service.quota import SECONDS_PER_DAY, Allowance, within_quota
from service.refusals import QuotaExhausted, RateLimited
from service.settings import Settings
from tests.running import gridgram, running_service
from tests.wire import ask, check_problem, get, post

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.running import RunningService

TRACKER, TRACKER_KEY = new_key("tracker", requests_per_minute=600)
SLOW, SLOW_KEY = new_key("slow", requests_per_minute=2)
PROMETHEUS, PROMETHEUS_KEY = new_key("prometheus", may_read_metrics=True)
KEYS = {key.name: key for key in (TRACKER_KEY, SLOW_KEY, PROMETHEUS_KEY)}
JOB = {"location": "FR", "energy": {"start": "2022-03-11T00:00:00Z", "step": "PT1H", "kwh": [1]}}
TRIES = 100_000
CRITICAL = 2.576
"""Two-sided, p < 0.01, of a normal distribution."""


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service that wants keys."""
    home = tmp_path_factory.mktemp("guarded")
    (home / "keys").write_text("# who may ask\n" + "\n".join(key.line for key in KEYS.values()) + "\n")
    with running_service(home, {"GRIDGRAM_API_KEYS_FILE": str(home / "keys")}) as running:
        yield running


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


# --- kept


def test_a_key_is_random_and_only_its_hash_is_kept() -> None:
    text, key = new_key("tracker", requests_per_minute=600, upstream_calls_per_day=0, may_read_metrics=True)
    other, _ = new_key("tracker")

    assert re.fullmatch(r"tracker\.[A-Za-z0-9_-]{43}", text)
    assert text != other
    assert text.partition(".")[2] not in key.line
    assert re.fullmatch(r"tracker sha256:[0-9a-f]{64} requests_per_minute=600 upstream_calls_per_day=0 metrics", key.line)
    assert read_keys(key.line, "here") == {"tracker": key}


def test_keys_stand_one_a_line_or_between_semicolons_with_remarks() -> None:
    lines = [key.line for key in KEYS.values()]

    assert read_keys("\n\n  # all\n" + "\n".join(f"{line}  # mine" for line in lines), "here") == KEYS
    assert read_keys(";".join(lines), "here") == KEYS


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "names no key"),
        ("# nobody", "names no key"),
        (TRACKER, "line 1, is no key"),
        (f"tracker {TRACKER}", "line 1, is no key"),
        (f"{SLOW_KEY.line}\ntracker sha256:abc", "line 2, is no key"),
        (f"{SLOW_KEY.line} requests_per_minute=3", "line 1, is no key"),
        (f"{TRACKER_KEY.line} admin", "line 1, is no key"),
        (f"{TRACKER_KEY.line} requests_per_minute=0", "line 1, is no key"),
        (f"{TRACKER_KEY.line};{TRACKER_KEY.line}", "stands there twice"),
    ],
    ids=range(9),  # keys are other ones in every run
)
def test_what_is_no_key_is_refused_by_its_line_and_never_repeated(text: str, reason: str) -> None:
    with pytest.raises(SettingsError, match=reason) as caught:
        read_keys(text, "GRIDGRAM_API_KEYS")

    assert TRACKER.partition(".")[2] not in str(caught.value)
    assert "GRIDGRAM_API_KEYS" in str(caught.value)


@pytest.mark.parametrize("name", ["", "a b", "a.b", "x" * 41, "ä", "a;b", "a#b"])
def test_a_name_that_would_not_be_read_back_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="names no key"):
        new_key(name)


def test_the_command_makes_a_key_that_the_service_knows(tmp_path: Path) -> None:
    made = gridgram(["keys", "new", "ci", "--requests-per-minute", "60"], tmp_path)
    text, line = made.stdout.splitlines()

    assert made.returncode == 0
    assert find_key(read_keys(line, "here"), text) is not None
    assert read_keys(line, "here")["ci"].requests_per_minute == 60
    assert gridgram(["keys", "new", "a b"], tmp_path).returncode == 2


def test_a_service_whose_keys_cannot_be_read_does_not_start_open(tmp_path: Path) -> None:
    ended = gridgram(["serve", "--port", "0"], tmp_path, settings={"GRIDGRAM_API_KEYS": "tracker"})

    assert ended.returncode == 4
    assert "GRIDGRAM_API_KEYS, line 1, is no key" in ended.stderr
    empty = tmp_path / "none"
    empty.write_text("")
    assert gridgram(["serve", "--port", "0"], tmp_path, settings={"GRIDGRAM_API_KEYS_FILE": str(empty)}).returncode == 4


# --- found


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ({}, ""),
        ({"Authorization": "Bearer a.b"}, "a.b"),
        ({"Authorization": "bearer  a.b "}, "a.b"),
        ({"Authorization": "Basic YTpi"}, "b"),
        ({"Authorization": "Basic é"}, ""),
        ({"Authorization": "Basic YQ=="}, ""),
        ({"X-API-Token": "a.b"}, "a.b"),
        ({"X-API-Key": "a.b"}, "a.b"),
        ({"auth-token": "a.b"}, "a.b"),
        ({"Authorization": "Bearer a.b", "X-API-Key": "c.d"}, "a.b"),
        ({"X-API-Key": "c.d", "auth-token": "a.b"}, "c.d"),
    ],
)
def test_a_key_is_read_from_its_headers(headers: Mapping[str, str], text: str) -> None:
    assert key_text(headers) == text


@pytest.mark.parametrize(
    "text", ["", ".", "tracker", "tracker.", TRACKER[:-1], TRACKER + "x", f"slow.{TRACKER.partition('.')[2]}", "\udcff"], ids=range(8)
)
def test_only_the_whole_key_is_the_key(text: str) -> None:
    assert find_key(KEYS, TRACKER) == TRACKER_KEY
    assert find_key(KEYS, text) is None


def test_nobody_has_the_key_whose_hash_is_zero() -> None:
    assert find_key({"zero": Key("zero", bytes(32))}, "zero.x") is None
    assert find_key({}, "x.y") is None


def test_how_long_a_wrong_key_takes_tells_nothing_of_the_right_one() -> None:
    """Keys that are nearly right against keys that are right nowhere, in random order; a real difference would show in all rounds."""
    rounds: list[float] = []
    while len(rounds) < 3 and not (rounds and rounds[-1] < CRITICAL):
        rounds.append(difference_of_times(len(rounds)))

    assert rounds[-1] < CRITICAL, rounds


def difference_of_times(seed: int) -> float:
    """How far the mean times of both kinds are apart, in standard errors, without the slowest twentieth of each."""
    dice = random.Random(seed)  # noqa: S311 - no secrets
    secret = TRACKER.partition(".")[2]
    kept = [dice.choice((0, len(secret) - 4)) for _ in range(TRIES)]
    texts = []
    for count in kept:  # all are made alike: how a text was put together shows in the time to read it
        noise = "".join(dice.choices(ascii_letters, k=len(secret)))
        texts.append(f"tracker.{secret[:count]}{noise[count:]}".encode().decode())
    nanoseconds: dict[int, list[int]] = {0: [], len(secret) - 4: []}
    for count, text in zip(kept, texts, strict=True):
        started = time.perf_counter_ns()
        find_key(KEYS, text)
        ended = time.perf_counter_ns()
        nanoseconds[count].append(ended - started)
    cut = [sorted(times)[: len(times) * 19 // 20] for times in nanoseconds.values()]
    one, other = (statistics.fmean(times) for times in cut)
    return float(abs(one - other) / sum(statistics.pvariance(times) / len(times) for times in cut) ** 0.5)


def test_the_comparison_is_the_one_of_constant_time() -> None:
    assert find_key.__globals__["hmac"].compare_digest is hmac.compare_digest
    assert "compare_digest" in find_key.__code__.co_names


# --- over HTTP


def test_without_a_key_or_with_a_wrong_one_nobody_is_let_in(guarded: RunningService) -> None:
    for headers in (
        {},
        bearer("tracker.x"),
        bearer(""),
        {"X-API-Key": TRACKER[:-1]},
        {"Authorization": f"Basic {TRACKER}"},
        {"auth-token": TRACKER[:-1]},
        {"api-key": TRACKER},
    ):
        answer = post(guarded, JOB, headers)
        problem = check_problem(answer, 401, "unauthorized")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert TRACKER.partition(".")[2][:-1] not in str(problem)


def test_a_key_lets_in_by_each_header_and_is_never_looked_for_in_the_query(guarded: RunningService) -> None:
    assert post(guarded, JOB, bearer(TRACKER)).status == 200
    assert post(guarded, JOB, {"X-API-Key": TRACKER}).status == 200
    assert post(guarded, JOB, {"auth-token": TRACKER}).status == 200
    check_problem(get(guarded, f"/v1/zones?key={TRACKER}"), 401, "unauthorized")
    check_problem(get(guarded, f"/v1/zones?key={TRACKER}", bearer(TRACKER)), 422, "invalid-input")


def test_what_tells_of_the_service_itself_needs_no_key(guarded: RunningService) -> None:
    for path in ("/healthz", "/readyz", "/version", "/openapi.yaml", "/problems/unauthorized"):
        assert get(guarded, path).status == 200, path
    assert get(guarded, "/docs").status == 308
    assert get(guarded, "/docs/").status in {200, 404}
    check_problem(get(guarded, "/nowhere"), 404, "not-found")


def test_metrics_need_a_key_that_may_read_them(guarded: RunningService) -> None:
    check_problem(get(guarded, "/metrics"), 401, "unauthorized")
    check_problem(get(guarded, "/metrics", bearer(TRACKER)), 403, "forbidden")

    answer = get(guarded, "/metrics", bearer(PROMETHEUS))

    assert answer.status == 200
    assert b'gridgram_key_requests_total{key="prometheus"}' in answer.body
    assert b'gridgram_requests_refused_total{code="unauthorized"}' in answer.body


def test_a_key_sees_its_limit_and_is_told_when_to_come_back(guarded: RunningService) -> None:
    first, second, third = (post(guarded, JOB, bearer(SLOW)) for _ in range(3))

    assert [first.status, second.status] == [200, 200]
    assert first.headers["RateLimit-Policy"] == '"requests";q=2;w=60'
    assert first.headers["RateLimit"] == '"requests";r=1;t=30'
    problem = check_problem(third, 429, "rate-limited")
    assert third.headers["RateLimit"].startswith('"requests";r=0;')
    assert 1 <= int(third.headers["Retry-After"]) <= 30
    assert "2 times a minute" in problem["detail"]
    assert post(guarded, JOB, bearer(TRACKER)).status == 200


def test_what_a_key_was_asked_for_is_kept_by_no_shared_cache(guarded: RunningService, service: RunningService) -> None:
    assert get(guarded, "/v1/zones", bearer(TRACKER)).headers["Cache-Control"].startswith("private")
    assert get(service, "/v1/zones").headers["Cache-Control"].startswith("public")


def test_every_line_of_the_log_names_the_key_and_none_holds_one(guarded: RunningService) -> None:
    get(guarded, "/v1/zones", bearer(TRACKER) | {"X-Request-ID": "with-a-key"})
    deadline = time.monotonic() + 5
    while not (lines := [event for event in guarded.events() if event.get("request_id") == "with-a-key"]):
        assert time.monotonic() < deadline
        time.sleep(0.05)

    assert (lines[0]["key"], lines[0]["status"], lines[0]["operation"]) == ("tracker", 200, "zones")
    assert not any(text.partition(".")[2] in guarded.log.read_text() for text in (TRACKER, SLOW, PROMETHEUS))


def test_the_head_of_an_answer_needs_a_key_as_the_answer_does(guarded: RunningService) -> None:
    assert ask(guarded, "HEAD", "/v1/zones").status == 401
    assert ask(guarded, "HEAD", "/v1/zones", headers=bearer(TRACKER)).status == 200


def test_the_service_warns_that_everybody_may_ask_only_while_it_is_so(tmp_path: Path) -> None:
    for name, settings, warns in (("open", {}, True), ("closed", {"GRIDGRAM_API_KEYS": TRACKER_KEY.line}, False)):
        with running_service(tmp_path / name, {"GRIDGRAM_HOST": "0.0.0.0"} | settings) as running:  # noqa: S104 - that is the test
            assert any(event["event"] == "serve.open" for event in running.events()) is warns


# --- allowances


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, seconds: float = 1_000_000.0) -> None:
        self.seconds = seconds

    def __call__(self) -> float:
        return self.seconds


def allowance(clock: Clock, shares: int = 1, number: int = 0, **limits: Any) -> Allowance:
    return Allowance(new_key("tracker", **limits)[1], clock, clock, shares, number)


def test_a_minute_of_requests_may_come_at_once_and_then_comes_back_evenly() -> None:
    clock = Clock()
    mine = allowance(clock, requests_per_minute=60)
    for _ in range(60):
        mine.admit()

    with pytest.raises(RateLimited) as caught:
        mine.admit()
    assert caught.value.headers == {"Retry-After": "1"}
    clock.seconds += 1.0
    mine.admit()
    with pytest.raises(RateLimited):
        mine.admit()
    clock.seconds += 3_600
    assert [mine.admit() for _ in range(60)] == [None] * 60
    assert mine.rate_headers() == {"RateLimit-Policy": '"requests";q=60;w=60', "RateLimit": '"requests";r=0;t=60'}
    assert mine.requests == 121


def test_in_any_order_of_requests_no_more_than_the_limit_and_a_minute_come_through() -> None:
    clock, dice = Clock(), random.Random(7)  # noqa: S311 - no secrets
    mine = allowance(clock, requests_per_minute=30)
    passed = 0
    for _ in range(10_000):
        clock.seconds += dice.choice([0.0, 0.1, 1.0, 5.0])
        try:
            mine.admit()
        except RateLimited:
            continue
        passed += 1

    minutes = (clock.seconds - 1_000_000) / 60
    assert 0.95 * 30 * minutes <= passed <= 30 * minutes + 30


async def test_a_days_calls_are_never_exceeded_and_begin_anew_at_midnight_utc() -> None:
    clock = Clock(20_000.0 * SECONDS_PER_DAY + 3_600)
    mine = allowance(clock, upstream_calls_per_day=3)
    for _ in range(3):
        await mine.spend("rte")

    with pytest.raises(OverQuota, match="rte is not asked"):
        await mine.spend("rte")
    assert mine.exhausted().headers == {"Retry-After": str(SECONDS_PER_DAY - 3_600)}
    clock.seconds -= SECONDS_PER_DAY
    assert mine.calls_left == 0
    clock.seconds = 20_001.0 * SECONDS_PER_DAY
    assert mine.calls_left == 3


def test_processes_divide_a_days_calls_so_that_together_they_never_exceed_it() -> None:
    clock = Clock()

    assert [allowance(clock, 3, number, upstream_calls_per_day=10).calls_left for number in range(3)] == [4, 3, 3]
    assert [allowance(clock, 4, number, upstream_calls_per_day=2).calls_left for number in range(4)] == [1, 1, 0, 0]
    assert allowance(clock, 3).calls_left == float("inf")


async def test_work_that_asks_sources_is_refused_before_when_nothing_is_left_and_after_when_it_did_not_suffice() -> None:
    mine = allowance(Clock(), upstream_calls_per_day=1)
    ran = []

    async def work() -> None:
        with within_quota(lambda: True):
            ran.append(1)
            await spend("rte")
            with suppress(OverQuota):  # as the engine does: the source is left out, what is held stays
                await spend("rte")

    token = SPENDER.set(mine)
    try:
        for _ in range(2):
            with pytest.raises(QuotaExhausted):
                await work()
    finally:
        SPENDER.reset(token)
    assert (ran, mine.upstream_calls, mine.calls_refused) == ([1], 1, 1)


async def test_work_that_lacks_nothing_is_not_refused_for_what_other_work_of_its_key_lacked() -> None:
    token = SPENDER.set(allowance(Clock(), upstream_calls_per_day=1))
    try:
        with within_quota(lambda: False):
            await spend("rte")
            with suppress(OverQuota):
                await spend("eia")  # the other's
    finally:
        SPENDER.reset(token)


async def test_where_nobody_counts_calls_there_is_no_end_to_them() -> None:
    with within_quota(lambda: True):
        await spend("rte")


def test_settings_read_keys_from_either_place(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(TRACKER_KEY.line)

    assert Settings(api_keys_file=tmp_path / "keys").keys == Settings(api_keys=TRACKER_KEY.line).keys == {"tracker": TRACKER_KEY}  # type: ignore[arg-type]  # read by pydantic
    assert Settings().keys == {}
