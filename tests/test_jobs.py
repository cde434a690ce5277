"""A job read the short way, in compiled code, is the job that the models read; what they refuse, the short way refuses too."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridgram.errors import InvalidInput
from service.body import UnreadableBody, parse_json
from service.jobs import PLAIN_STEPS, Job, _read_plainly, _read_thoroughly, read_job, read_plain_json

NOW = datetime(2026, 11, 24, 12, 34, 56, tzinfo=UTC)
ENERGY = {"start": "2024-03-11T00:00:00Z", "step": "PT1H", "kwh": [1.2, 0.8]}

NUMBERS = st.one_of(st.floats(), st.floats(0, 1e3), st.integers(-3, 10**20), st.booleans(), st.none(), st.just("1.2"), st.just(-0.0))
TIMES = st.one_of(
    st.datetimes(datetime(1998, 1, 1), datetime(2027, 1, 1)).map(lambda time: time.isoformat() + "Z"),  # noqa: DTZ001 - hypothesis wants naive bounds
    st.sampled_from(["2024-03-11T00:00:00Z", "2024-03-11t00:00:00z", "2024-03-11T24:00:00Z", "2024-03-11", "2024-03-11T00:00:60Z", 0]),
    st.sampled_from(["2024-03-11T01:00:00+01:00", "2026-12-08T12:34:56Z", "2026-12-08T11:34:57Z", "2024-03-11T00:00,00Z", "x" * 65]),
)
EMPTY: st.SearchStrategy[Any] = st.sampled_from(["", {}, None, 0, False])
STEPS = st.sampled_from(["PT1H", "PT5M", "PT0.5S", "PT1.000001S", "P1D", "P366D", "P367D", "P1M", "", 3_600, "PT0S"])
ENERGIES = st.fixed_dictionaries(
    {"start": TIMES, "step": STEPS, "kwh": st.lists(NUMBERS, max_size=4)}, optional={"end": TIMES, "total_kwh": NUMBERS, "wh": NUMBERS}
)
MEMBERS = st.fixed_dictionaries(
    {},
    optional={
        "location": st.sampled_from(["FR", "", "x" * 201, None, 7, "aws:eu-west-3"]),
        "energy": st.one_of(ENERGIES, st.none(), st.just([])),
        "pue": st.one_of(NUMBERS, st.floats(1, 10)),
        "signal": st.sampled_from(["lifecycle", "direct", "marginal", "all", None]),
        "min_quality": st.sampled_from(["measured", "annual", "best"]),
        "include": st.one_of(st.lists(st.sampled_from(["hours", "equivalents", "all"]), max_size=3), EMPTY),
        "intensity_g_per_kwh": NUMBERS,
        "unknown": NUMBERS,
    },
)


def read_thoroughly(members: Any) -> Job | None:
    try:
        return _read_thoroughly(members, NOW)
    except InvalidInput:
        return None


@given(st.one_of(MEMBERS, st.none(), st.lists(st.integers(), max_size=2)))
def test_what_is_read_the_short_way_is_what_the_models_read(members: Any) -> None:
    short = _read_plainly(members, NOW)

    assert short is None or short == read_thoroughly(members)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=30), st.sampled_from(["PT1H", "PT15M", "PT7M"]), st.floats(1, 10))
def test_a_sound_job_of_equal_steps_is_read_the_short_way(kwh: list[float], step: str, pue: float) -> None:
    members = {"location": "FR", "energy": {**ENERGY, "step": step, "kwh": kwh}, "pue": pue, "include": ["hours"]}
    job = _read_plainly(members, NOW)

    assert job is not None
    assert job == read_thoroughly(members)
    assert job.profile.total_kwh == pytest.approx(sum(kwh))


@given(st.lists(st.from_regex(r"-?[0-9]{1,21}(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?", fullmatch=True), min_size=1, max_size=4))
def test_numbers_of_a_body_are_read_as_every_other_body_is_read(numbers: list[str]) -> None:
    energy = json.dumps(ENERGY).replace("1.2, 0.8", ", ".join(numbers))
    body = f'{{"location": "FR", "energy": {energy}}}'.encode()
    short = read_plain_json(body, NOW)

    try:
        members = parse_json(body)
    except UnreadableBody:
        assert short is None
    else:
        assert repr(short) == repr(_read_plainly(members, NOW))


@given(st.floats(0, 1e12), st.integers(0, 3))
def test_a_number_is_read_from_a_body_as_it_was_written(kwh: float, repeated: int) -> None:
    body = json.dumps({"location": "FR", "energy": {**ENERGY, "kwh": [kwh] * (repeated + 1)}}).encode()
    job = read_plain_json(body, NOW)

    assert job is not None
    assert list(job.profile.kwh) == [kwh] * (repeated + 1)


@pytest.mark.parametrize("kwh", [math.nan, math.inf, -math.inf, -1.0, True, "1", None])
def test_what_is_no_energy_is_not_read_the_short_way(kwh: object) -> None:
    assert _read_plainly({"location": "FR", "energy": {**ENERGY, "kwh": [1.0, kwh, 1.0]}}, NOW) is None


@pytest.mark.parametrize("include", ["", {}, None, 0, False])
def test_what_is_to_be_included_is_a_list_even_when_it_is_empty(include: Any) -> None:
    with pytest.raises(InvalidInput, match="/include"):
        read_job({"location": "FR", "energy": ENERGY, "include": include}, NOW)


def test_a_long_or_flat_or_given_job_is_read_by_the_models() -> None:
    others: list[dict[str, Any]] = [
        {"location": "FR", "energy": {**ENERGY, "kwh": [1.0] * (PLAIN_STEPS + 1)}},
        {"location": "FR", "energy": {"start": ENERGY["start"], "end": "2024-03-12T00:00:00Z", "total_kwh": 2.0}},
        {"energy": ENERGY, "intensity_g_per_kwh": 57.0},
    ]
    for members in others:
        assert _read_plainly(members, NOW) is None
        assert read_job(members, NOW) == read_thoroughly(members)


def test_every_fault_of_a_job_is_told_at_once() -> None:
    with pytest.raises(InvalidInput) as refused:
        read_job({"energy": {**ENERGY, "start": "2024-03-11", "kwh": [-1.0]}, "pue": 0.5, "locaton": "FR"}, NOW)

    assert {fault.pointer for fault in refused.value.faults} == {"/energy/start", "/energy/kwh/0", "/pue", "/locaton"}
