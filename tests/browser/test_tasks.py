"""Jobs on the page, done as a user does it and compared with what the API answers: plans, conversions, footprints."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import MEASURED_HOURS
from tests.browser.steps import commands, in_shell, run_command, shown
from tests.wire import post

if TYPE_CHECKING:
    from tests.browser.chromium import Page
    from tests.running import RunningService

pytestmark = pytest.mark.asyncio(loop_scope="session")


# --- plan


async def test_a_job_is_planned_and_handed_to_slurm(page: Page, held: RunningService) -> None:
    await shown(page, held, "plan", "main form")
    await page.write("main form input", "FR, DE")
    await page.click("main form button")
    await page.see(".timeline")
    answer = run_command((await commands(page))[0])
    best = answer["options"][0]

    assert await page.count(".timeline .run") == 1 + len(answer["per_location"])
    assert best["location"] in await page.text(".headline")
    assert f"date -d '{best['start']}'" in await page.text(".copyable code")
    begin = in_shell((await page.text(".copyable code")).replace("sbatch", "echo"))
    assert begin.split()[0] == f"--begin={datetime.fromisoformat(best['start']).astimezone():%Y-%m-%dT%H:%M:%S}"


async def test_a_plan_that_cannot_be_is_told_in_the_words_of_the_api(page: Page, held: RunningService) -> None:
    await shown(page, held, "plan", "main form")
    await page.write("main form input[type=number]", "400")
    await page.click("main form button")
    await page.see(".problem")

    assert "the job takes 400 h and the window has 48: set a later end or an earlier start" in await page.text(".problem")
    page.complaints.clear()  # the browser notes the 422


# --- convert


def profile(hours: int) -> str:
    present = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    starts = [present - timedelta(hours=MEASURED_HOURS + 10 - hour) for hour in range(hours)]
    return "\n".join(["start,kwh", *(f"{start:%Y-%m-%dT%H:%M:%SZ},{1 + hour % 3}" for hour, start in enumerate(starts))])


async def test_a_pasted_profile_shows_at_a_glance_what_is_measured(page: Page, held: RunningService) -> None:
    await shown(page, held, "convert", "main form")
    await page.write("textarea", profile(20))
    await page.click("main form button")
    await page.see(".coverage-bar")
    answer = run_command((await commands(page))[0])

    assert set(answer["coverage"]) == {"measured", "typical"}
    assert await page.count(".plot .bar.told") == 10
    assert await page.count(".plot .bar.supposed") == 10
    assert f"{answer['coverage']['measured']:.1%}".replace(".0%", "%") in await page.text(".shares")
    grown = await page.run("[...document.querySelectorAll('.piece')].map((it) => Number(it.style.flexGrow))")
    assert grown == pytest.approx(list(answer["coverage"].values()), rel=1e-4)
    emitted = answer["emissions_g"]
    assert await page.text(".headline strong") == (f"{emitted / 1000:.2f} kg" if emitted >= 1000 else f"{emitted:.0f} g")


async def test_kwh_between_two_times_are_converted(page: Page, held: RunningService) -> None:
    await shown(page, held, "convert", "main form")
    await page.click("main form button")
    await page.see(".coverage-bar")

    assert await page.count(".plot .bar") == 24


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("start,kwh\n2024-03-11T08:00:00,1\n2024-03-11T09:00:00,1", "offset"),
        ("a,b\n1,2", "names its columns"),
        ("start,kwh\n2024-03-11T08:00:00Z,much", "Line 2"),
        ("[1, 2]", "no hours"),
        ('{"start": "2024-03-11T08:00:00Z", "step": "PT1H", "kwh": [-1]}', "kwh/0"),
        ("start,kwh\n2024-03-11T08:00:00Z,1\n2024-03-11T09:00:00Z,1\n2024-03-11T11:00:00Z,1", "Line 4"),
    ],
)
async def test_a_profile_that_cannot_be_read_is_told_where(page: Page, held: RunningService, text: str, words: str) -> None:
    await shown(page, held, "convert", "main form")
    await page.run(f"document.querySelector('textarea').value = {json.dumps(text)}")
    await page.click("main form button")
    await page.see(".problem")

    assert words in await page.text(".problem")
    page.complaints.clear()  # the browser notes a 422


async def test_intervals_with_ends_and_semicolons_are_read(page: Page, held: RunningService) -> None:
    await shown(page, held, "convert", "main form")
    text = "start;end;kwh\n2024-03-11T08:30:00Z;2024-03-11T09:00:00Z;1\n2024-03-11T10:00:00Z;2024-03-11T12:00:00Z;4"
    await page.run(f"document.querySelector('textarea').value = {json.dumps(text)}")
    await page.click("main form button")
    await page.see(".coverage-bar")
    await page.see(".plot .bar")

    assert await page.count(".plot .bar") == 3


# --- footprint


async def test_bloom_is_counted_at_once_with_its_bands(page: Page, held: RunningService) -> None:
    await shown(page, held, "footprint", ".stack")
    request = await page.run("document.querySelector('textarea').value")
    answer = json.loads(post(held, request.encode(), path="/v1/footprint").body)

    assert await page.text(".headline strong") == f"{answer['total']['emissions_g'] / 1e6:.1f} t"
    assert await page.count(".stack .part") == len(answer["components"])
    assert await page.count(".bars .whisker") == sum(part["emissions_low_g"] < part["emissions_high_g"] for part in answer["components"])
    assert run_command((await commands(page))[0]) == answer


async def test_a_footprint_that_is_refused_says_where(page: Page, held: RunningService) -> None:
    await shown(page, held, "footprint", ".stack")
    await page.write("textarea", '{"training": [{"gpu_hours": 1}]}')
    await page.click("main form button")
    await page.see(".problem")

    assert "power_w" in await page.text(".problem")
    page.complaints.clear()  # the browser notes the 422
