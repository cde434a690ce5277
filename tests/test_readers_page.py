"""The page about logs of other tools: its commands run, and its flags are there."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from gridgram.errors import InvalidInput
from service.backfill.uploads.requests import BackfillQuery
from tests.job_logs import lines_of
from tests.running import gridgram

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "readers.md").read_text()
COMMANDS = re.findall(r"^gridgram (.+)$", PAGE, re.MULTILINE)


def logs(folder: Path) -> None:
    """A small log of each tool under the name that the page uses."""
    header = "timestamp,project_name,run_id,duration,emissions,energy_consumed,country_iso_code"
    lines_of(folder / "emissions.csv", header, "2024-07-01T14:00:00,p,a,3600,0.1,1.5,FRA")
    lines_of(
        folder / "sacct.txt",
        "JobID|Account|Start|End|Elapsed|ConsumedEnergyRaw",
        "1|lab|2024-07-01T13:00:00|2024-07-01T14:00:00|01:00:00|5400000",
    )
    job = {
        "job_id": 1,
        "time": {"start": 1_719_831_600, "end": 1_719_835_200, "elapsed": 3_600},
        "tres": {"allocated": [{"type": "cpu", "count": 200}]},
    }
    (folder / "sacct.json").write_text(json.dumps({"meta": {}, "jobs": [job]}))
    lines_of(
        folder / "trace.txt",
        "task_id\tname\tstatus\tstart\tcomplete\tenergy_consumption",
        "1\tA\tCOMPLETED\t2024-07-01 13:00:00\t2024-07-01 14:00:00\t1.5 kWh",
    )
    lines_of(
        folder / "emission.csv", "id,start_time,duration(s),power_consumption(kWh),region/country", "a,2024-07-01 13:00:00,3600,1.5,FR"
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_page_runs_and_counts_the_energy(tmp_path: Path, command: str) -> None:
    logs(tmp_path)
    words = [
        str(tmp_path / word) if "." in word and not word.startswith("-") and "=" not in word and word != "1.2" else word
        for word in shlex.split(command)
    ]

    done = gridgram([*words, "--json"], tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    summary = json.loads(done.stdout)
    assert summary["jobs"] == 1
    assert summary["facility_energy_kwh"] == pytest.approx(1.8 if "--pue" in command else 1.5)
    assert summary["emissions_g"] > 0


def test_a_power_that_is_none_is_refused(tmp_path: Path) -> None:
    logs(tmp_path)

    for power in ("gpu", "gpu=many", "gpu=-1", "=300", "gpu=nan"):
        done = gridgram(["backfill", str(tmp_path / "sacct.json"), "-o", str(tmp_path / "out.csv"), "--power-from-tdp", power], tmp_path)

        assert done.returncode == 2
        assert "is no power of a device; write cpu=7.5,gpu=300" in done.stderr


def test_an_upload_names_the_power_of_devices_in_the_same_words() -> None:
    assert BackfillQuery(power_from_tdp="cpu=7.5, GPU=300").device_watts() == {"cpu": 7.5, "gpu": 300.0}
    assert BackfillQuery().device_watts() == {}
    with pytest.raises(InvalidInput, match=r"is no power of a device; write cpu=7.5,gpu=300"):
        BackfillQuery(power_from_tdp="true").device_watts()
