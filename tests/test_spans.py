"""Intervals read in compiled code are those that the models read; what they refuse, the short way leaves to them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from gridgram.errors import InvalidInput
from service.jobs import read_job
from service.requests import EnergyInterval
from service.spans import Span, read_spans
from tests.test_jobs import NOW, NUMBERS, TIMES

MODELS = TypeAdapter(list[EnergyInterval])
POINTS = st.fixed_dictionaries({"start": TIMES, "end": TIMES, "kwh": NUMBERS}, optional={"wh": NUMBERS})


def by_the_models(points: Any) -> list[Span] | None:
    try:
        return [Span(point.start, point.end, point.kwh) for point in MODELS.validate_python(points, context={"now": NOW})]
    except ValidationError:
        return None


@given(st.one_of(st.lists(POINTS, min_size=1, max_size=4), st.none(), st.just([]), st.just({}), st.just([7])))
def test_what_is_read_the_short_way_is_what_the_models_read(points: Any) -> None:
    short = read_spans(points, NOW)

    assert short is None or short == by_the_models(points)


def test_sound_intervals_are_read_the_short_way() -> None:
    points = [
        {"start": "2024-03-11T00:00:00Z", "end": "2024-03-11T01:30:00+01:00", "kwh": 1},
        {"start": "2024-03-12T00:00:00.5Z", "end": "2024-03-12T00:00:01Z", "kwh": 0.25},
    ]

    assert read_spans(points, NOW) == by_the_models(points)
    assert read_spans(points, NOW) is not None


@pytest.mark.parametrize(
    ("place", "changed", "pointer"),
    [
        (700, {"kwh": -1}, "/energy/intervals/700/kwh"),
        (3, {"end": "2024-03-11"}, "/energy/intervals/3/end"),
        (999, {"wh": 1}, "/energy/intervals/999/wh"),
    ],
)
def test_what_is_wrong_with_one_of_many_is_told_at_its_place(place: int, changed: dict[str, Any], pointer: str) -> None:
    points: list[dict[str, Any]] = [
        {
            "start": f"2024-03-11T{number // 60 % 24:02d}:{number % 60:02d}:00Z",
            "end": f"2024-03-11T{number // 60 % 24:02d}:{number % 60:02d}:30Z",
            "kwh": 1,
        }
        for number in range(1_000)
    ]
    points[place] |= changed
    with pytest.raises(InvalidInput) as refused:
        read_job({"energy": {"intervals": points}, "intensity_g_per_kwh": 100}, NOW)

    assert [fault.pointer for fault in refused.value.faults] == [pointer]
