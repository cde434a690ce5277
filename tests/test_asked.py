"""What was asked for is remembered here and told to others, whose clocks may be wrong."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.asked import LONGEST_SECONDS, NEVER, REMEMBERED_DAYS, UNASKED, Answered, Asked, spans_of

WALL = 1_700_000_000.0


@given(st.dictionaries(st.integers(0, 30_000), st.tuples(st.integers(1, 86_400), st.integers(0, 7)), max_size=60))
def test_what_one_process_packs_another_learns(days: dict[int, tuple[int, int]]) -> None:
    mine, theirs = Asked(), Asked()
    for day, (seconds, told) in days.items():
        mine.note("rte", "FR", day, Answered(500.0 + seconds, told))

    body, longest = mine.packed("rte", "FR", 500.0, WALL)
    theirs.learn("rte", "FR", body, 9_000.0, WALL)

    assert longest == max((seconds for seconds, _ in days.values()), default=0)
    for day, (seconds, told) in days.items():
        if seconds > 2:
            assert theirs.of("rte", "FR", day) == (9_000.0 + seconds, told)
    assert theirs.of("rte", "DE", 1) == UNASKED


def test_days_that_hold_as_long_are_told_in_one_row() -> None:
    asked = Asked()
    for day in range(366):
        asked.note("rte", "FR", day, Answered(600.0, 3))

    body, _ = asked.packed("rte", "FR", 0.0, WALL)

    assert orjson.loads(body) == [[0, 366, int(WALL) + 600, 3]]


def test_what_is_over_is_not_told() -> None:
    asked = Asked()
    asked.note("rte", "FR", 5, Answered(10.0, 1))

    assert asked.packed("rte", "FR", 10.0, WALL) == (b"[]", 0.0)


@pytest.mark.parametrize("seconds", [-86_400, -1, 0, LONGEST_SECONDS + 1, 10**9])
def test_what_a_wrong_clock_wrote_holds_for_nobody(seconds: float) -> None:
    asked = Asked()
    asked.learn("rte", "FR", orjson.dumps([[5, 6, int(WALL + seconds), 1]]), 0.0, WALL)

    assert asked.of("rte", "FR", 5).until == NEVER


def test_others_do_not_shorten_what_is_known() -> None:
    asked = Asked()
    asked.note("rte", "FR", 5, Answered(600.0, 1))
    asked.learn("rte", "FR", orjson.dumps([[5, 6, int(WALL + 30), 0]]), 0.0, WALL)

    assert asked.of("rte", "FR", 5) == (600.0, 1)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"null", b"{}", b"[1]", b"[[1,2,3]]", b'[[1,2,"3",0]]', b"[[2,1,3,0]]", b"[[0,99999999999,9,0]]", b"[[0,2,9,0],[1,3,9,0]]"],
)
def test_a_body_that_is_not_ours_teaches_nothing(body: bytes) -> None:
    asked = Asked()
    asked.learn("rte", "FR", body, 0.0, WALL)

    assert asked.of("rte", "FR", 1) == UNASKED


def test_no_more_days_are_remembered_than_the_bound() -> None:
    asked = Asked()
    for day in range(REMEMBERED_DAYS + 10):
        asked.note("rte", "FR", day, Answered(float(day), 0))

    assert asked.of("rte", "FR", 9) == UNASKED
    assert asked.of("rte", "FR", 10) == (10.0, 0)


def test_days_are_joined_into_spans_of_at_most_so_many() -> None:
    assert spans_of([1, 2, 3, 5, 6, 7, 8], 3) == [range(1, 4), range(5, 8), range(8, 9)]
