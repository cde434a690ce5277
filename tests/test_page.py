"""The present of all zones in one call, and the page at `/` as it is sent."""

from __future__ import annotations

import gzip
import itertools
import json
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gridgram.fuels import Fuel
from gridgram.quality import Quality
from tests.running import gridgram, running_service
from tests.wire import ask, get

if TYPE_CHECKING:
    from tests.running import RunningService

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "service" / "static" / "page"
STEPS_APART = 6.0
"""How much darker each step of the scale is than the one before, at least; some 2 are seen side by side. [CIE L*]"""


def present(service: RunningService, signal: str = "lifecycle") -> dict[str, Any]:
    status, answer = service.get(f"/v1/intensity/now?signal={signal}")
    assert status == 200
    assert isinstance(answer, dict)
    return answer


# --- the present of all zones


def test_every_zone_is_told_once_or_listed_as_missing(service: RunningService) -> None:
    zones = {zone["zone"] for zone in service.get("/v1/zones")[1]["zones"]}

    answer = present(service)

    told = [zone["zone"] for zone in answer["zones"]]
    assert sorted(told + answer["missing"]) == sorted(zones)
    assert sum(entry["zones"] for entry in answer["provenance"]) == len(told)


def test_what_is_told_of_a_zone_is_what_the_zone_tells_of_itself(service: RunningService) -> None:
    for zone in ("FR", "CN-BJ", "US-CAL-CISO"):
        alone = service.get(f"/v1/intensity/latest?location={zone}")[1]
        among = next(entry for entry in present(service)["zones"] if entry["zone"] == zone)

        assert {name: among[name] for name in ("g_per_kwh", "low", "high", "quality", "provider")} == {
            name: alone[name] for name in ("g_per_kwh", "low", "high", "quality", "provider")
        }


def test_a_signal_that_nobody_tells_is_missing_everywhere_and_no_other_stands_in(service: RunningService) -> None:
    answer = present(service, "marginal")

    assert answer["zones"] == []
    assert len(answer["missing"]) == len(service.get("/v1/zones")[1]["zones"])


def test_a_signal_that_there_is_not_is_refused(service: RunningService) -> None:
    status, answer = service.get("/v1/intensity/now?signal=average")

    assert status == 422
    assert answer["errors"][0]["pointer"] == "/signal"


def test_an_hour_that_is_held_goes_before_the_typical_one_and_says_its_age(tmp_path: Path, service: RunningService) -> None:
    start = present(service)["zones"][0]["start"]
    hours = tmp_path / "hours.csv"
    hours.write_text(f"zone,start,g_per_kwh\nFR,{start},41.5\n")
    home = tmp_path / "home"
    home.mkdir()
    assert gridgram(["import", str(hours)], home).returncode == 0

    with running_service(home) as running:
        france = next(zone for zone in present(running)["zones"] if zone["zone"] == "FR")

    assert (france["g_per_kwh"], france["quality"], france["provider"]) == (41.5, Quality.MEASURED, "file")
    assert france["start"] == start


# --- the page as it is sent


def test_the_page_may_load_nothing_from_elsewhere_and_runs_no_inline_code(service: RunningService) -> None:
    answer = get(service, "/")

    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'self';")
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert not re.search(r"<style|style=|<script(?![^>]*src=)|\son\w+=|https?://", answer.body.decode())


def test_every_file_that_the_page_names_is_sent_for_keeping_and_packed(service: RunningService) -> None:
    files = re.findall(r'(?:href|src)="(/page/[^"]+)"', get(service, "/").body.decode())

    for file in files:
        plain, packed = get(service, file), get(service, file, {"Accept-Encoding": "gzip"})

        assert plain.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert packed.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(packed.body) == plain.body
    assert len(files) > 8


def test_under_another_edition_a_file_is_this_ones_and_not_kept(service: RunningService) -> None:
    answer = get(service, "/page/other/app.js")

    assert answer.body == (FOLDER / "app.js").read_bytes()
    assert "immutable" not in answer.headers["Cache-Control"]


@pytest.mark.parametrize("name", ["nothing.js", "..%2f..%2fapp.py", "index.html"])
def test_only_the_files_of_the_page_are_sent(service: RunningService, name: str) -> None:
    assert ask(service, "GET", f"/page/any/{name}").status == 404


def test_every_module_that_a_module_names_is_there() -> None:
    for file in FOLDER.glob("*.js"):
        for name in re.findall(r'(?:from |import\()"\./([^"]+)"', file.read_text()):
            assert (FOLDER / name).is_file(), f"{file.name} names {name}"


def test_the_footprint_view_begins_with_the_example_of_the_documents() -> None:
    text = (FOLDER / "bloom.js").read_text()

    assert json.loads(text[text.index("{") :].rstrip().rstrip(";")) == json.loads((ROOT / "examples" / "bloom.json").read_text())


# --- the scale


def colours() -> list[str]:
    return json.loads(re.search(r"COLOURS = (\[.*?\])", (FOLDER / "scale.js").read_text())[1])  # type: ignore[index,no-any-return]  # it is there


def lightness(colour: str) -> float:
    """CIE L* of an sRGB colour (IEC 61966-2-1, CIE 15:2004)."""
    red, green, blue = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in (red, green, blue)]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return 116 * luminance ** (1 / 3) - 16 if luminance > 0.008856 else 903.3 * luminance


def test_lightness_alone_tells_the_steps_of_the_scale_apart() -> None:
    steps = [lightness(colour) for colour in colours()]

    assert all(lighter - darker >= STEPS_APART for lighter, darker in itertools.pairwise(steps)), steps


VISIONS = {
    "usual": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "without red": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "without green": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "without blue": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
"""Linear sRGB as it is seen (Machado, Oliveira, Fernandes 2009, severity 1)."""
FUELS_APART = 15.0
"""How far any two colours of fuels lie from each other, at least; some 2 are seen side by side. [CIE76]"""


def lab(colour: str, vision: str) -> tuple[float, float, float]:
    """CIE L*a*b* (D65) of an sRGB colour as one vision has it."""
    linear = [
        (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4) for c in (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    ]
    seen = [min(1.0, max(0.0, sum(weight * c for weight, c in zip(row, linear, strict=True)))) for row in VISIONS[vision]]
    white = ((0.4124564, 0.3575761, 0.1804375, 0.95047), (0.2126729, 0.7151522, 0.0721750, 1.0), (0.0193339, 0.1191920, 0.9503041, 1.08883))
    ratios = [sum(weight * c for weight, c in zip(row[:3], seen, strict=True)) / row[3] for row in white]
    x, y, z = (ratio ** (1 / 3) if ratio > 0.008856 else 7.787 * ratio + 16 / 116 for ratio in ratios)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_colours_of_fuels_are_told_apart_by_all_who_see_colours_otherwise(scheme: str, vision: str) -> None:
    text = (FOLDER / "style.css").read_text(encoding="utf-8")
    found = re.findall(r"\.fuel\.(\w+) \{ --fuel: (?:light-dark\()?(#\w+)(?:, (#\w+)\))?;", text)
    colours_of_fuels = {fuel: lab(dark if scheme == "dark" and dark else light, vision) for fuel, light, dark in found}

    assert set(colours_of_fuels) == {fuel.value for fuel in Fuel}
    assert all(math.dist(one, other) >= FUELS_APART for one, other in itertools.combinations(colours_of_fuels.values(), 2))


def test_the_style_sheet_has_the_colours_of_the_scale() -> None:
    text = (FOLDER / "style.css").read_text()

    assert [re.search(rf"--step-{step}: (#\w+)", text)[1] for step in range(8)] == colours()  # type: ignore[index]  # it is there
