"""Each task of the page as a user does it, in a real browser; what is shown is compared with what the API answers."""

from __future__ import annotations

import asyncio
import json
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.browser.conftest import MEASURED_HOURS
from tests.wire import get, post

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser.chromium import Page
    from tests.running import RunningService

pytestmark = pytest.mark.asyncio(loop_scope="session")

ENTER, TAB = 13, 9


async def shown(page: Page, service: RunningService, path: str, selector: str) -> None:
    await page.open(f"{service.address}/#/{path}")
    await page.see(selector)


async def commands(page: Page) -> list[str]:
    told: list[str] = await page.run("[...document.querySelectorAll('.repeat code')].map((it) => it.textContent)")
    return told


def run_command(command: str) -> Any:
    """What a command shown on the page answers, run as it stands."""
    return json.loads(in_shell(command))


def in_shell(command: str) -> str:
    """What a command prints in the shell that people paste it into."""
    return subprocess.run(["/bin/bash", "-c", command], check=True, capture_output=True, text=True, timeout=20).stdout


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
    assert await page.count(".plot .line.told") == 1
    assert await page.count(".plot .line.supposed") >= 1
    assert await page.count(".plot .line.supposed") == await page.count(".plot .band.supposed")


async def test_the_commands_of_a_zone_give_what_is_drawn(page: Page, held: RunningService) -> None:
    await shown(page, held, "zone/FR/2", ".heatmap")

    latest, past, ahead, zone = [run_command(command) for command in await commands(page)]

    assert f"{latest['g_per_kwh']:.0f}" in await page.text(".headline strong")
    assert len(past["hours"]) == await page.count(".heatmap rect")
    assert len(ahead["hours"]) == 96
    assert zone["zone"] == "FR"


@pytest.mark.parametrize("kind", ["CSV", "JSON", "Parquet"])
async def test_the_hours_are_saved_by_one_press_as_the_api_sends_them(page: Page, held: RunningService, tmp_path: Path, kind: str) -> None:
    await page.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    await shown(page, held, "zone/FR/2", ".heatmap")
    place = ["CSV", "JSON", "Parquet"].index(kind)
    await page.run(f"[...document.querySelectorAll('.view button')].filter((it) => it.textContent === {kind!r})[0].click()")
    file = tmp_path / f"FR-hours.{kind.lower()}"
    for _ in range(200):
        if file.exists() and file.stat().st_size:
            break
        await asyncio.sleep(0.02)
    asked = (await commands(page))[1].split("'")[1].removeprefix(held.address)

    assert file.read_bytes() == get(held, f"{asked}&format={kind.lower()}").body, place


async def test_a_signal_that_is_not_held_is_a_problem_and_no_number(page: Page, held: RunningService) -> None:
    await shown(page, held, "zone/FR", ".plot svg")
    await page.run(
        "(() => { const it = document.getElementById('signal'); it.value = 'marginal'; it.dispatchEvent(new Event('change')); })()"
    )
    await page.see(".problem")

    assert "FR has no marginal intensity" in await page.text("main")
    assert await page.count(".plot, .heatmap, .headline") == 0
    page.complaints.clear()  # the browser notes the 404s


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


# --- keys, strangers, keyboards


async def test_a_service_with_keys_is_asked_for_one_and_the_key_is_kept_in_the_tab_alone(
    page: Page, closed: tuple[RunningService, str]
) -> None:
    service, key = closed
    await page.open(service.address)
    await page.see("dialog[open]")
    await page.write("#key-text", key)
    await page.click("dialog button")
    await page.see(".list tbody tr")

    assert all("$GRIDGRAM_KEY" in command and key not in command for command in await commands(page))
    assert await page.run("localStorage.length") == 0
    assert await page.run("document.cookie") == ""
    assert key not in await page.run("location.href")
    page.complaints.clear()  # the browser notes the 401s


async def test_what_the_address_names_is_shown_as_text_and_never_as_markup(page: Page, held: RunningService) -> None:
    evil = "<img src=x onerror=window.broken=1>"
    await page.open(f"{held.address}/#/zone/{quote(evil, safe='')}")
    await page.see(".problem")

    assert evil[:10] in await page.text(".problem")
    assert await page.run("window.broken === undefined && document.querySelector('main img') === null")
    page.complaints.clear()  # the browser notes the 404


async def test_the_page_is_walked_by_keyboard_alone(page: Page, held: RunningService) -> None:
    await shown(page, held, "", ".list tbody tr")
    await page.key("Tab", TAB)
    assert await page.run("document.activeElement.className") == "skip"
    await page.key("Enter", ENTER)
    assert await page.run("document.activeElement.id") == "main"
    await page.key("Tab", TAB)
    assert await page.run("document.activeElement.id") == "search"
    await page.run("document.querySelector('nav a[href=\"#/plan\"]').focus()")
    await page.key("Enter", ENTER)
    await page.see(".view.plan form")

    assert await page.run("document.activeElement.id") == "main"
    assert await page.run("document.querySelector('nav [aria-current]').textContent") == "Plan"


async def test_the_page_asks_nobody_but_the_service(page: Page, held: RunningService) -> None:
    for path, selector in (("", ".list tbody tr"), ("zone/FR", ".heatmap"), ("footprint", ".stack")):
        await shown(page, held, path, selector)

    assert {host for host in page.hosts if host} == {held.address.removeprefix("http://")}


# --- runs and backfills


async def test_a_run_that_a_tracker_sent_is_shown_with_its_figure(page: Page, held: RunningService) -> None:
    identity = "5b0fa12a-3dd7-45bb-9766-cc326314d9f1"
    energy = {"location": "FR", "name": "bloom", "energy": {"start": "2022-03-11T00:00:00Z", "step": "PT1H", "kwh": [1.2, 0.8]}}
    assert held.post(f"/v1/runs/{identity}/energy", energy)[0] == 201
    await shown(page, held, "runs", ".view.runs table")
    assert "bloom" in await page.text("table")
    await page.click(".view.runs table a")
    await page.see(".coverage-bar")
    run = run_command((await commands(page))[0])

    assert await page.text(".headline strong") == f"{run['emissions_g']:.0f} g"
    assert await page.count(".view.runs tbody tr") == len(run["over_time"]) + len(run["revisions"])


async def test_a_file_of_jobs_is_sent_followed_and_fetched(page: Page, held: RunningService, tmp_path: Path) -> None:
    file = tmp_path / "jobs.csv"
    file.write_text("location,start,end,energy_kwh\nFR,2022-03-11T00:10:00Z,2022-03-12T07:00:01Z,12.5\nnowhere,2022-03-11T00:10:00Z,,1\n")
    await page.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    await shown(page, held, "backfills", "main form")
    document = await page.call("DOM.getDocument")
    node = await page.call("DOM.querySelector", nodeId=document["root"]["nodeId"], selector="main input[type=file]")
    await page.call("DOM.setFileInputFiles", nodeId=node["nodeId"], files=[str(file)])
    await page.run("document.querySelector('main select').value = 'csv'")
    await page.click("main form button")
    await page.until("document.querySelector('.headline strong')?.textContent === 'done'", 60)
    told = run_command((await commands(page))[-1])

    assert f"{told['summary']['emissions_g'] / 1000:.2f} kg" in await page.text("main")
    assert "1 row without numbers" in await page.text("main")

    await page.run("[...document.querySelectorAll('main button')].find((it) => it.textContent === 'Save the result').click()")
    saved = tmp_path / f"backfill-{told['id']}.csv"
    for _ in range(200):
        if saved.exists() and saved.stat().st_size:
            break
        await asyncio.sleep(0.02)
    assert saved.read_bytes() == get(held, f"/v1/backfills/{told['id']}/result").body

    await page.run("[...document.querySelectorAll('main button')].find((it) => it.textContent === 'Delete').click()")
    await page.see(".view.backfills form")
    assert get(held, f"/v1/backfills/{told['id']}").status == 404
