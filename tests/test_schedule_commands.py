"""`gridgram when`, `wait` and `rank` as they are used from a shell and from batch scripts."""

from __future__ import annotations

import re
import signal
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import structlog
from typer.testing import CliRunner

from gridgram.errors import InvalidInput
from gridgram.interval import format_hour, hour_of, hour_start, parse_time
from service.cli import app
from service.scheduling.commands import LOOK_SECONDS, read_length, sleep_until
from tests.running import COMMAND, environment, gridgram, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typer.testing import Result

SPAN = ["--earliest", "2024-03-11T00:00:00Z", "--latest", "2024-03-12T00:00:00Z"]
JOB = ["--duration", "3h", "--total-kwh", "6", *SPAN]
HOURS = "zone,start,g_per_kwh\n" + "".join(f"FR,2024-03-11T{hour:02d}:00:00Z,{20 if 10 <= hour < 13 else 60}\n" for hour in range(24))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home of this test's own, whose store holds a day of France."""
    for name, text in environment(tmp_path).items():
        monkeypatch.setenv(name, text)
    monkeypatch.setenv("TZ", "UTC")
    (tmp_path / "hours.csv").write_text(HOURS)
    logging_was = structlog.get_config()
    run("import", str(tmp_path / "hours.csv"))
    yield tmp_path
    structlog.configure(**logging_was)


def run(*arguments: str) -> Result:
    outcome = CliRunner().invoke(app, arguments)
    assert outcome.exception is None or isinstance(outcome.exception, SystemExit), outcome.exc_info
    return outcome


def answer(*arguments: str) -> Any:
    outcome = run(*arguments, "--json")
    assert (outcome.exit_code, outcome.stderr) == (0, "")
    return orjson.loads(outcome.stdout_bytes)


# --- when


def test_when_tells_the_best_start_as_the_http_api_does() -> None:
    told = answer("when", "FR", "DE", *JOB)

    assert told["options"][0]["start"] == "2024-03-11T10:00:00Z"
    assert told["options"][0]["emissions_g"] == pytest.approx(120)
    assert [best["location"] for best in told["per_location"]] == ["FR", "DE"]
    assert orjson.loads(run("when", "FR", "DE", *JOB, "--format", "json").stdout_bytes)["options"] == told["options"]


def test_a_person_gets_a_table_and_a_bar_of_the_hours() -> None:
    outcome = run("when", "FR", "DE", *JOB)

    assert outcome.exit_code == 0
    assert "2024-03-11T10:00:00Z  2024-03-11T13:00:00Z  FR" in outcome.stdout
    assert "Baseline: 360.0 g" in outcome.stdout
    bar, marks = next((line, below) for line, below in zip(*[iter(_from_bars(outcome.stdout))] * 2, strict=False) if line.startswith("FR"))
    assert re.search(r"FR (\S{24})  20-60", bar)
    assert marks == "   " + " " * 10 + "^^^"
    assert bar[13:16] in {"▁▁▁", "___"}


def _from_bars(text: str) -> list[str]:
    lines = text.splitlines()
    return lines[next(place for place, line in enumerate(lines) if line.startswith("UTC")) + 1 :]


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (["sbatch"], "--begin=2024-03-11T10:00:00"),
        (["sbatch", "--timezone", "Asia/Kathmandu"], "--begin=2024-03-11T15:45:00"),
        (["at", "--timezone", "America/New_York"], "-t 202403110600"),
        (["cron"], "0 10 11 3 *"),
    ],
)
def test_a_batch_system_is_told_one_start(arguments: list[str], printed: str) -> None:
    outcome = run("when", "FR", *JOB, "--format", *arguments)

    assert (outcome.exit_code, outcome.stdout, outcome.stderr) == (0, f"{printed}\n", "")


def test_a_batch_system_is_told_nothing_where_no_start_is_known() -> None:
    outcome = run("when", "FR", *JOB, "--signal", "marginal", "--format", "sbatch")

    assert (outcome.exit_code, outcome.stdout) == (3, "")
    assert outcome.stderr == "gridgram: no hour of the window has a marginal intensity\n"
    assert run("when", "FR", *JOB, "--signal", "marginal").exit_code == 3


def test_every_flag_of_when_reaches_the_request() -> None:
    flags = ["--interruptible", "--min-chunk", "1h", "--resume-kwh", "0.5", "--pue", "1.5", "--pue", "DE=1.1", "--startup-kwh", "FR=2"]
    more = ["--transfer-kwh", "DE=3", "--step", "30m", "--top", "3", "--min-quality", "typical", "--as-of", "2024-03-12T00:00:00Z"]
    told = answer("when", "FR", "DE", "--kwh", "2,2,2", "--kwh-step", "1h", *SPAN, *flags, *more)

    best = {option["location"]: option for option in told["per_location"]}
    assert (best["FR"]["energy_kwh"], best["DE"]["energy_kwh"]) == pytest.approx(((6 + 2) * 1.5, 6 * 1.1 + 3))
    assert (len(told["options"]), told["as_of"]) == (3, "2024-03-12T00:00:00Z")


def test_the_window_is_counted_from_the_earliest_start() -> None:
    told = answer("when", "FR", "--duration", "PT90M", "--earliest", "2024-03-11T00:00:00Z", "--within", "1d12h")

    assert (told["earliest"], told["latest"]) == ("2024-03-11T00:00:00Z", "2024-03-12T12:00:00Z")
    ahead = answer("when", "FR", "--duration", "1h")
    assert parse_time(ahead["latest"]) - parse_time(ahead["earliest"]) == timedelta(hours=48)
    assert timedelta(0) <= parse_time(ahead["earliest"]) - datetime.now(UTC) + timedelta(seconds=30) <= timedelta(minutes=6)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["FR"], "--duration: give how long the job runs"),
        (["FR", "--duration", "8h", "--kwh", "1"], "not both"),
        (["FR", "--duration", "8"], "'8' is no length of time"),
        (["FR", "--duration", "8h", "--within", "later"], "'later' is no length of time"),
        (["FR", "--duration", "8h", "--within", "4h"], "the job takes 8 h and the window has 4"),
        (["FR", "--duration", "8h", "--pue", "FR=good"], "--pue: 'good' is no number"),
        (["FR", "--duration", "8h", "--pue", "DE=1.2"], "/pue/DE: this is none of the locations"),
        (["FR", "--duration", "8h", "--earliest", "now"], "/earliest: 'now' is not an RFC 3339 time"),
        (["FR", "--duration", "8h", "--step", "1m"], "/step: a step is 5 minutes or longer"),
        (["FR", "DE", "--duration", "8h", "--format", "sbatch"], "one start in one place"),
        (["FR", "--duration", "8h", "--format", "at", "--interruptible"], "one start in one place"),
        (["FR", "--duration", "8h", "--format", "at", "--timezone", "Mars"], "no time zone known here"),
        (["FRX", "--duration", "8h"], "Did you mean FR?"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(arguments: list[str], text: str) -> None:
    outcome = run("when", *arguments)

    assert (outcome.exit_code, outcome.stdout) == (2, "")
    assert text in outcome.stderr
    assert len(outcome.stderr.splitlines()) == 1


def test_lengths_of_time_are_read_as_people_write_them() -> None:
    read = {text: read_length("--duration", text) for text in ("8h", "90m", "2d", "1d12h", "1D2H3M", "PT8H", "pt5m")}

    assert list(read.values()) == ["PT8H", "PT90M", "P2D", "P1DT12H", "P1DT2H3M", "PT8H", "PT5M"]
    for wrong in ("", "8", "h", "8 h", "-8h", "8h30", "eight"):
        with pytest.raises(InvalidInput):
            read_length("--duration", wrong)


# --- wait


def hours_ahead_of_now(home: Path, clean_after_hours: int) -> datetime:
    """Put hours into the store of which the cleanest lie so far ahead of now; gives the first of these."""
    present = hour_of(datetime.now(UTC))
    rows = [f"FR,{format_hour(present + hour)},{10 if hour >= clean_after_hours else 500},forecast" for hour in range(30)]
    (home / "ahead.csv").write_text("zone,start,g_per_kwh,quality\n" + "\n".join(rows) + "\n")
    assert run("import", str(home / "ahead.csv")).exit_code == 0
    return hour_start(present + clean_after_hours)


def test_wait_goes_on_at_once_when_now_is_best(home: Path) -> None:
    hours_ahead_of_now(home, 0)

    outcome = run("wait", "FR", "--duration", "2h")

    assert (outcome.exit_code, outcome.stdout, outcome.stderr) == (0, "", "gridgram: no later start emits less; start now\n")


def test_a_dry_run_tells_the_start_that_would_be_waited_for(home: Path) -> None:
    clean = hours_ahead_of_now(home, 5)

    outcome = run("wait", "FR", "--duration", "2h", "--dry-run")

    start, text = outcome.stdout.split(" ", 1)
    assert parse_time(start) == clean
    assert text == f"start at {start}: 98.0 % less than now (forecast hours)\n"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--signal", "marginal"], "no hour of the window has a marginal intensity; start now"),
        (["--within", "1h"], "no room to wait: the job takes 2 h and the window has 1"),
        (["--latest", "2024-03-12T00:00:00Z"], "no room to wait: the latest end is not after the earliest start"),
    ],
)
def test_wait_never_blocks_because_something_is_missing(arguments: list[str], text: str) -> None:
    outcome = run("wait", "FR", "--duration", "2h", *arguments)

    assert (outcome.exit_code, outcome.stdout) == (0, "")
    assert text in outcome.stderr


def test_wait_never_waits_past_the_last_start_that_makes_the_deadline(home: Path) -> None:
    hours_ahead_of_now(home, 9)

    start = run("wait", "FR", "--duration", "2h", "--within", "6h", "--dry-run").stdout.split()[0]

    assert parse_time(start) <= datetime.now(UTC) + timedelta(hours=4)


def test_with_a_long_step_now_is_still_now_and_the_window_as_long_as_said(home: Path) -> None:
    hours_ahead_of_now(home, 0)
    present = hour_of(datetime.now(UTC))

    waiting = run("wait", "FR", "--duration", "2h", "--step", "7d", "--within", "20h", "--dry-run")
    told = orjson.loads(run("when", "FR", "--duration", "2h", "--step", "7d", "--within", "20h", "--json").stdout)

    assert waiting.stdout.endswith("no later start emits less; start now\n")
    assert parse_time(told["earliest"]) in {hour_start(present + 1), hour_start(present + 2)}
    assert parse_time(told["latest"]) - parse_time(told["earliest"]) == timedelta(hours=20)


def test_wait_refuses_what_is_wrong(home: Path) -> None:
    assert run("wait", "FRX", "--duration", "2h").exit_code == 2
    assert run("wait", "FR", "--duration", "soon").exit_code == 2
    assert run("wait", "FR", "--duration", "2h", "--step", "1m").exit_code == 2
    assert gridgram(["wait", "FR", "--duration", "2h"], home, settings={"GRIDGRAM_MEMORY_MIB": "none"}).returncode == 4


def test_a_wait_ends_on_sigterm_and_nothing_runs_after_it(home: Path) -> None:
    hours_ahead_of_now(home, 5)
    log = home / "wait.log"

    with log.open("w") as stderr:
        process = subprocess.Popen([*COMMAND, "wait", "FR", "--duration", "2h"], env=environment(home), stderr=stderr)
    wait_until(lambda: "start at" in log.read_text() or process.poll() is not None, 20)
    process.send_signal(signal.SIGTERM)

    assert process.wait(10) == -signal.SIGTERM
    assert "Traceback" not in log.read_text()


def test_ctrl_c_ends_a_wait_with_a_code_that_lets_nothing_run_after_it(home: Path) -> None:
    hours_ahead_of_now(home, 5)
    log = home / "wait.log"

    with log.open("w") as stderr:
        process = subprocess.Popen([*COMMAND, "wait", "FR", "--duration", "2h"], env=environment(home), stderr=stderr)
    wait_until(lambda: "start at" in log.read_text() or process.poll() is not None, 20)
    process.send_signal(signal.SIGINT)

    assert process.wait(10) == 130
    assert "Traceback" not in log.read_text()


def test_the_commands_of_the_page_about_schedules_run() -> None:
    page = (Path(__file__).resolve().parents[1] / "docs" / "schedule.md").read_text()
    block = re.search(r"```sh\n(.*?)```", page, re.DOTALL)
    assert block
    first, slurm, waiting = block[1].splitlines()
    inner = re.search(r"\$\(gridgram (.*?)\)", slurm)
    assert inner

    assert run(*first.split()[1:]).exit_code == 0
    assert re.fullmatch(r"--begin=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\n", run(*inner[1].split()).stdout)
    assert run(*waiting.partition(" &&")[0].split()[1:], "--dry-run").exit_code == 0


def test_the_clock_is_looked_at_again_and_again_so_that_a_machine_that_slept_is_not_late() -> None:
    clock = [parse_time("2024-03-11T00:00:00Z")]
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock[0] += timedelta(seconds=seconds) if len(slept) != 3 else timedelta(seconds=100)  # the lid was shut for a while

    sleep_until(clock[0] + timedelta(seconds=170.5), lambda: clock[0], sleep)

    assert slept == [LOOK_SECONDS, LOOK_SECONDS, LOOK_SECONDS, 10.5]
    sleep_until(clock[0], lambda: clock[0], sleep)
    assert len(slept) == 4


# --- rank


def test_regions_are_ranked_for_people_and_for_machines() -> None:
    told = answer("rank", "DE", "FR", "geo:48.85,2.35", "--by", "last_12_months")
    outcome = run("rank", "DE", "FR")

    assert [region["location"] for region in told["regions"]] == ["FR", "geo:48.85,2.35", "DE"]
    assert outcome.exit_code == 0
    assert outcome.stdout.index("\nFR") < outcome.stdout.index("\nDE")
    assert run("rank", "FR", "--signal", "marginal").exit_code == 3
    assert run("rank", "FR", "FR").exit_code == 2
