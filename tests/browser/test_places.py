"""What the page tells of places, done as a user does it and compared with what the API answers: now, and one zone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import MEASURED_HOURS
from tests.browser.steps import ENTER, commands, run_command, saved, shown
from tests.wire import get

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser.chromium import Page
    from tests.running import RunningService

MIX_PLOT = "[aria-label^=Generation]"

pytestmark = pytest.mark.asyncio(loop_scope="session")


# --- now


async def test_all_zones_are_listed_cleanest_first_and_sorted_by_any_column(page: Page, held: RunningService) -> None:
    await shown(page, held, "", ".list tbody tr")
    answer = held.get("/v1/intensity/now")[1]
    cleanest = min(answer["zones"], key=lambda zone: zone["g_per_kwh"])

    assert await page.count(".list tbody tr") == len(answer["zones"]) + len(answer["missing"])
    assert cleanest["zone"] in await page.text(".list tbody tr th small")
    assert await page.run("document.querySelectorAll('.list th')[1].ariaSort") == "ascending"

    await page.run("document.querySelectorAll('.list thead button')[3].click()")

    assert await page.run("document.querySelectorAll('.list th')[3].ariaSort") == "ascending"
    assert "FR" in await page.text(".list tbody tr th small")
    assert await page.text(".list tbody tr .quality") == "measured"


async def test_what_nobody_told_is_hatched_and_what_was_measured_is_not(page: Page, held: RunningService) -> None:
    await shown(page, held, "", ".list tbody tr")
    answer = held.get("/v1/intensity/now")[1]

    plain = await page.run(
        "[...document.querySelectorAll('.map [data-zone]')].filter((it) => it.getAttribute('fill')?.startsWith('#'))"
        ".map((it) => it.dataset.zone)"
    )
    hatched = await page.count(".list .hatched")

    assert plain == [zone["zone"] for zone in answer["zones"] if zone["quality"] == "measured"] == ["FR"]
    assert hatched == sum(zone["quality"] in {"typical", "annual"} for zone in answer["zones"])
    assert "1 of" in await page.text(".lead")


async def test_a_press_on_the_map_opens_the_zone(page: Page, held: RunningService) -> None:
    await shown(page, held, "", ".list tbody tr")
    await page.run("document.querySelector('.map').scrollIntoView({block: 'center'})")
    await page.run(
        "(() => { const it = document.querySelector('.map-tools select'); it.value = 'Africa'; it.dispatchEvent(new Event('change')); })()"
    )
    box = await page.run(
        "(() => { const {x, y, width, height} = document.querySelector('[data-zone=DZ]').getBoundingClientRect();"
        " return [x + width / 2, y + height / 2]; })()"
    )
    await page.press_at(*box)

    await page.until("location.hash === '#/zone/DZ'")


async def test_the_search_narrows_the_list_by_name_country_and_key(page: Page, held: RunningService) -> None:
    await shown(page, held, "", ".list tbody tr")
    await page.write("#search", "germany")

    names = await page.run("[...document.querySelectorAll('.list tbody small')].map((it) => it.textContent)")

    assert names == ["DE"]


async def test_a_name_opens_the_one_zone_that_it_leaves_and_a_code_is_never_taken_for_a_part_of_a_name(
    page: Page, held: RunningService
) -> None:
    await shown(page, held, "", ".list tbody tr")
    await page.write("#search", "germany")
    await page.key("Enter", ENTER)
    await page.until("location.hash === '#/zone/DE'")
    await page.see(".view.zone")
    await shown(page, held, "", ".list tbody tr")
    await page.write("#search", "gin")
    await page.key("Enter", ENTER)
    await page.see(".view.zone h1")

    assert "Guinea" in await page.text("h1")
    page.complaints.clear()  # the browser notes the 404


@pytest.mark.parametrize("place", ["aws:eu-west-3", "geo:48.85,2.35", "FRA"])
async def test_the_search_finds_cloud_regions_points_and_codes(page: Page, held: RunningService, place: str) -> None:
    await shown(page, held, "", ".list tbody tr")
    await page.write("#search", place)
    await page.key("Enter", ENTER)
    await page.see(".view.zone .headline")

    assert "FR" in await page.text("h1 small")


async def test_a_place_that_there_is_not_is_told_in_the_words_of_the_api(held: RunningService, page: Page) -> None:
    await shown(page, held, "", ".list tbody tr")
    await page.write("#search", "geo:0,-30")
    await page.key("Enter", ENTER)
    await page.see(".problem")
    expected = held.get("/v1/locate?location=geo:0,-30")[1]

    assert expected["detail"] in await page.text(".problem")
    page.complaints.clear()  # the browser notes the 404


# --- zone


async def test_the_hours_of_a_zone_are_read_by_arrow_keys_as_the_api_tells_them(page: Page, held: RunningService) -> None:
    await shown(page, held, "zone/FR/2", ".plot svg")
    await page.run("document.querySelector('.plot').focus()")
    await page.key("ArrowRight", 39)
    first = run_command((await commands(page))[1])["hours"][1]

    reading = await page.text(".reading")

    assert f"{first['g_per_kwh']:.0f} g/kWh" in reading
    assert "measured, file" in reading
    assert await page.run("document.querySelector('.plot').getAttribute('aria-valuetext')") == reading


async def test_measured_typical_and_missing_hours_are_drawn_apart(page: Page, held: RunningService) -> None:
    await shown(page, held, "zone/FR/7", ".heatmap")
    cells = await page.run("[...document.querySelectorAll('.heatmap rect')].map((it) => it.getAttribute('fill'))")

    assert len(cells) == 7 * 24
    assert sum(fill.startswith("#") for fill in cells) == MEASURED_HOURS
    await page.see(".plot .line.told")
    assert await page.count(".plot .line.told") == 1
    assert await page.count(".plot .line.supposed") >= 1
    assert await page.count(".plot .line.supposed") == await page.count(".plot .band.supposed")


async def test_the_commands_of_a_zone_give_what_is_drawn(page: Page, held: RunningService) -> None:
    await shown(page, held, "zone/FR/2", ".heatmap")

    latest, past, ahead, zone, mix = [run_command(command) for command in await commands(page)]

    assert f"{latest['g_per_kwh']:.0f}" in await page.text(".headline strong")
    assert len(past["hours"]) == await page.count(".heatmap rect")
    assert len(ahead["hours"]) == 96
    assert zone["zone"] == "FR"
    assert mix["hours"][0]["generation_mw"]["nuclear"] == 40_000.5


@pytest.mark.parametrize("kind", ["CSV", "JSON", "Parquet"])
async def test_the_hours_are_saved_by_one_press_as_the_api_sends_them(page: Page, held: RunningService, tmp_path: Path, kind: str) -> None:
    await page.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    await shown(page, held, "zone/FR/2", ".heatmap")
    await page.run(f"[...document.querySelectorAll('.view button')].filter((it) => it.textContent === {kind!r})[0].click()")
    file = tmp_path / f"FR-hours.{kind.lower()}"
    asked = (await commands(page))[1].split("'")[1].removeprefix(held.address)

    assert await saved(file) == get(held, f"{asked}&format={kind.lower()}").body


async def test_a_signal_that_is_not_held_is_a_problem_and_no_number(page: Page, held: RunningService) -> None:
    await shown(page, held, "zone/FR", ".plot svg")
    await page.run(
        "(() => { const it = document.getElementById('signal'); it.value = 'marginal'; it.dispatchEvent(new Event('change')); })()"
    )
    await page.see(".problem")

    assert "FR has no marginal intensity" in await page.text("main")
    assert await page.count(f".plot:not({MIX_PLOT}), .heatmap, .headline") == 0
    page.complaints.clear()  # the browser notes the 404s


# --- the mix of a zone


async def test_the_hours_of_a_mix_are_stacked_and_read_by_arrow_keys_as_the_api_tells_them(page: Page, held: RunningService) -> None:
    await shown(page, held, "zone/FR/7", f"{MIX_PLOT} svg")
    answer = run_command((await commands(page))[4])
    await page.run(f"document.querySelector('{MIX_PLOT}').focus()")
    await page.key("End", 35)

    newest, reading = answer["hours"][-1], await page.run(f"document.querySelector('{MIX_PLOT}').getAttribute('aria-valuetext')")

    fuels = list(newest["generation_mw"])
    assert await page.count(f"{MIX_PLOT} .band.fuel") == 2 * len(fuels)  # two runs of hours, with a hole between
    assert all(f"{fuel} " in reading for fuel in fuels)
    assert f"hydro {newest['generation_mw']['hydro']:,.0f}, wind {newest['generation_mw']['wind']:,.0f}" in reading
    assert "coal" not in reading
    assert "measured, rte" in reading
    legend = await page.run(
        f"[...document.querySelector('{MIX_PLOT}').parentElement.querySelectorAll('.legend li')].map((it) => it.textContent)"
    )
    assert sorted(legend) == sorted(fuels)
    assert "No source told" in await page.text("main")


async def test_the_mix_is_a_table_too(page: Page, held: RunningService) -> None:
    await shown(page, held, "zone/FR/2", f"{MIX_PLOT} svg")
    answer = run_command((await commands(page))[4])
    await page.run("[...document.querySelectorAll('summary')].filter((it) => it.textContent === 'The mix as a table')[0].click()")
    await page.see("[aria-label^='Generation by fuel'] tbody tr")

    assert await page.count("[aria-label^='Generation by fuel'] tbody tr") == len(answer["hours"])
    heads = await page.run("[...document.querySelectorAll(`[aria-label^='Generation by fuel'] thead th`)].map((it) => it.textContent)")
    assert set(answer["hours"][0]["generation_mw"]) < set(heads)


async def test_a_zone_without_a_mix_says_so_in_one_sentence_and_draws_none(page: Page, held: RunningService) -> None:
    await shown(page, held, "zone/DE/2", ".untold")
    expected = held.get("/v1/mix?location=DE&start=2022-03-11T00:00:00Z&end=2022-03-12T00:00:00Z")[1]["detail"]

    assert expected.partition(": ")[2] in await page.text(".untold")
    assert await page.count(MIX_PLOT) == 0
    page.complaints.clear()  # the browser notes the 404

    await shown(page, held, "zone/CN/2", ".untold")
    assert "No source that is known here" in await page.text(".untold")
    assert len(await commands(page)) == 4
