"""The generation by fuel of a place, over HTTP and on the command line: what was told, or why there is none."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gridgram.interval import format_hour, hour_of, parse_time
from tests.facades import present_hour
from tests.mixes import french, french_hours, keep_mixes
from tests.running import gridgram, running_service

if TYPE_CHECKING:
    from tests.running import RunningService

START = hour_of(parse_time("2022-03-11T00:00:00Z"))
SPAN = "start=2022-03-11T00:00:00Z&end=2022-03-11T05:00:00Z"


def ask(service: RunningService, path: str) -> Any:
    status, answer = service.get(path)
    assert status == 200, answer
    return answer


def test_each_hour_tells_its_fuels_in_mw_and_shares_of_the_whole(service: RunningService) -> None:
    answer = ask(service, f"/v1/mix?location=FR&{SPAN}")

    assert (answer["zone"], answer["scope"], answer["start"], answer["end"]) == (
        "FR",
        "production",
        "2022-03-11T00:00:00Z",
        "2022-03-11T05:00:00Z",
    )
    assert [hour["start"] for hour in answer["hours"]] == [format_hour(START + place) for place in range(3)]
    for place, hour in enumerate(answer["hours"]):
        told = {fuel.value: power for fuel, power in french(START + place).items()}
        total = sum(told.values())
        assert hour["generation_mw"] == told
        assert hour["total_mw"] == total
        assert hour["share_percent"] == pytest.approx({fuel: 100 * power / total for fuel, power in told.items()})
        assert hour["fossil_percent"] == pytest.approx(100 * told["gas"] / total)
        assert hour["low_carbon_percent"] == pytest.approx(100 - 100 * (told["gas"] + told["unknown"]) / total)
        assert hour["renewable_percent"] == pytest.approx(hour["low_carbon_percent"] - 100 * told["nuclear"] / total)
        assert (hour["quality"], hour["provider"]) == ("measured", "rte")


def test_hours_that_no_source_told_are_missing_and_no_typical_ones_stand_in(service: RunningService) -> None:
    answer = ask(service, f"/v1/mix?location=FR&{SPAN}")

    assert answer["missing"] == [{"start": "2022-03-11T03:00:00Z", "end": "2022-03-11T05:00:00Z"}]
    assert answer["provenance"] == [
        {
            "provider": "rte",
            "quality": "measured",
            "unit": "MW",
            "licence": "Licence Ouverte 2.0",
            "attribution": "RTE / ODRE",
            "fetched_at": "2024-04-01T00:00:00Z",
            "hours": 3,
        }
    ]


def test_a_source_of_shares_alone_tells_no_mw(held: RunningService) -> None:
    present = present_hour()
    answer = ask(held, f"/v1/mix?location=GB&start={format_hour(present - 10)}&end={format_hour(present - 4)}")

    assert all("generation_mw" not in hour and "total_mw" not in hour for hour in answer["hours"])
    assert answer["hours"][0]["share_percent"]["wind"] == pytest.approx(100 * 30 / 90)
    assert answer["provenance"][0]["unit"] == "percent"


def test_the_newest_hour_is_told_with_its_age(service: RunningService) -> None:
    answer = ask(service, "/v1/mix/latest?location=aws:eu-west-3")

    assert (answer["zone"], answer["location"]) == ("FR", "aws:eu-west-3")
    assert hour_of(parse_time(answer["start"])) >= present_hour() - 1
    assert (answer["age_seconds"], answer["stale"]) == (0.0, False)
    assert answer["generation_mw"]["nuclear"] == 40_000.5


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        (f"location=FR&{SPAN.replace('2022', '2021')}", 404, "rte tells it, but GRIDGRAM_OFFLINE is set"),
        (f"location=US-CAL-CISO&{SPAN}", 404, "eia tells it, but GRIDGRAM_OFFLINE is set"),
        (f"location=CN&{SPAN}", 404, "no source that is known here tells it for this zone"),
        (f"location=FRANC&{SPAN}", 404, "FR"),
        ("location=FR&start=2022-03-11T00:00:00Z&end=2023-03-13T00:00:00Z", 422, "366"),
        ("location=FR&start=2022-03-11T00:00:00Z&end=2022-03-11T00:00:00Z", 422, "not after"),
        ("location=FR&start=2022-03-11T00:00:00&end=2022-03-12T00:00:00Z", 422, "offset"),
        (f"location=FR&{SPAN}&signal=direct", 422, "signal"),
    ],
)
def test_what_cannot_be_told_says_why(service: RunningService, query: str, status: int, words: str) -> None:
    told, problem = service.get(f"/v1/mix?{query}")

    assert told == status
    assert words in json.dumps(problem)


def test_a_place_without_a_mix_has_no_newest_hour_and_says_why(service: RunningService) -> None:
    status, problem = service.get("/v1/mix/latest?location=DE")

    assert (status, problem["error"]) == (404, "no-data")
    assert "No typical" not in problem["detail"]
    assert "no typical one stands in" in problem["detail"]


def test_a_zone_names_the_sources_of_its_mix_and_what_they_need(service: RunningService) -> None:
    sources = ask(service, "/v1/zones/DE")["sources"]["mix"]

    assert {"energy_charts", "entsoe"} == {source["provider"] for source in sources}
    assert all(not source["is_asked"] and "GRIDGRAM_OFFLINE" in source["why_not"] for source in sources)


def test_a_mix_changes_no_answer_about_intensity(service: RunningService) -> None:
    answer = ask(service, f"/v1/intensity?location=FR&{SPAN}")

    assert {hour["provider"] for hour in answer["hours"]} == {"reference"}


def test_the_command_prints_a_line_an_hour_and_json_as_the_service_answers(tmp_path: Path) -> None:
    present = present_hour()
    keep_mixes(tmp_path / "cache" / "gridgram" / "series.sqlite", french_hours(present - 24, present - 1))

    outcome = gridgram(["mix", "FR"], tmp_path)
    as_json = gridgram(["mix", "FR", "--start", format_hour(present - 3), "--end", format_hour(present), "--json"], tmp_path)

    assert outcome.returncode == 0, outcome.stderr
    lines = outcome.stdout.splitlines()
    assert "nuclear %" in lines[1]
    assert "coal %" not in lines[1]
    assert lines[2].startswith(format_hour(present - 24))
    assert f"missing: {format_hour(present - 1)} to {format_hour(present)}" in outcome.stdout
    assert "23 h measured from RTE / ODRE, Licence Ouverte 2.0." in outcome.stdout
    assert [hour["start"] for hour in json.loads(as_json.stdout)["hours"]] == [format_hour(present - 3), format_hour(present - 2)]


def test_the_commands_of_the_page_tell_a_mix(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[1] / "docs" / "mix.md").read_text()
    block = re.search(r"```sh\n(.*?)```", page, re.DOTALL)
    assert block
    *asked, command = block[1].splitlines()
    day, present = hour_of(parse_time("2024-03-11T00:00:00Z")), present_hour()
    keep_mixes(tmp_path / "cache" / "gridgram" / "series.sqlite", french_hours(day, day + 24), french_hours(present - 24, present))

    with running_service(tmp_path) as running:
        span, latest = [ask(running, shlex.split(line)[-1].removeprefix("http://127.0.0.1:8080")) for line in asked]

    assert len(span["hours"]) == 24
    assert latest["zone"] == "FR"
    assert "24 h measured from RTE" in gridgram(shlex.split(command)[1:], tmp_path).stdout


def test_the_command_says_why_there_is_none_and_ends_with_3(tmp_path: Path) -> None:
    outcome = gridgram(["mix", "DE", "--start", "2022-03-11T00:00:00Z", "--end", "2022-03-12T00:00:00Z"], tmp_path)

    assert (outcome.returncode, outcome.stdout) == (3, "")
    assert "energy_charts tells it, but GRIDGRAM_OFFLINE is set" in outcome.stderr
