"""What the facades share in reading: spellings of times, names of clouds, and the one place of a query."""

from __future__ import annotations

import pytest

from gridgram.errors import InvalidInput
from service.facades.asking import PlaceQuery, cloud_region, point, usual_spelling


@pytest.mark.parametrize(
    ("text", "usual"),
    [
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("2026-01-01 00:00:00+00:00", "2026-01-01T00:00:00+00:00"),
        ("2026-01-01 00:00:00 00:00", "2026-01-01T00:00:00+00:00"),
        ("2026-01-01T00:00:00.0000000 01:00", "2026-01-01T00:00:00.0000000+01:00"),
        ("2026-01-01T00:00-0530", "2026-01-01T00:00-05:30"),
        ("2026-01-01T00:00:00", "2026-01-01T00:00:00"),
        ("soon", "soon"),
    ],
)
def test_a_time_in_a_clients_spelling_becomes_the_usual_one_and_others_stay(text: str, usual: str) -> None:
    assert usual_spelling(text) == usual


def test_a_point_is_written_without_an_exponent() -> None:
    assert point(1e-7, -0.5) == "geo:0.000000100,-0.500000000"


def test_a_cloud_goes_by_its_short_and_its_full_name_and_by_no_other() -> None:
    assert cloud_region("Amazon Web Services", "eu-west-3") == cloud_region("aws", "eu-west-3") == "aws:eu-west-3"
    with pytest.raises(InvalidInput):
        cloud_region("somebody", "eu-west-3")


def test_a_place_named_twice_alike_is_one_place_and_two_places_are_refused() -> None:
    assert PlaceQuery.model_construct(zone="FR", zoneKey="fr").location() == "FR"
    with pytest.raises(InvalidInput, match="several places"):
        PlaceQuery.model_construct(zone="FR", countryCode="DE").location()
