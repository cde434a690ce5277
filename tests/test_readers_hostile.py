"""Files that are damaged, disguised or made to harm: each is refused in words, or harms its own lines alone."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridgram.errors import InvalidInput
from service.backfill.jobs import readers
from tests.job_logs import lines_of, told
from tests.shared import shared

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ASKED: dict[str, Any] = {"location": "FR", "time_zone": "Europe/Paris"}
LOGS = {
    "codecarbon": (
        "timestamp,project_name,run_id,duration,emissions,energy_consumed,country_iso_code",
        ["2024-07-01T14:00:00,p,{},3600,0.1,1.5,FRA", "2024-07-01T14:00:00,{bad},{},3600,0.1,1.5,FRA"],
    ),
    "slurm": (
        "JobID|JobName|Start|End|Elapsed|ConsumedEnergyRaw",
        [
            "{}|p|2024-07-01T13:00:00|2024-07-01T14:00:00|01:00:00|5400000",
            "{}|{bad}|2024-07-01T13:00:00|2024-07-01T14:00:00|01:00:00|5400000",
        ],
    ),
    "nextflow": (
        "task_id\tname\tstatus\tstart\tcomplete\tenergy_consumption",
        [
            "{}\tp\tCOMPLETED\t2024-07-01 13:00:00\t2024-07-01 14:00:00\t1.5 kWh",
            "{}\t{bad}\tCOMPLETED\t2024-07-01 13:00:00\t2024-07-01 14:00:00\t1.5 kWh",
        ],
    ),
    "eco2ai": (
        "id,project_name,epoch,start_time,duration(s),power_consumption(kWh),region/country",
        ["{},p,N/A,2024-07-01 13:00:00,3600,1.5,FR", "{},{bad},N/A,2024-07-01 13:00:00,3600,1.5,FR"],
    ),
}
every_log = pytest.mark.parametrize("name", LOGS)


def log(name: str, bad: str) -> list[str]:
    """A header, a sound row, one with something bad in its free text, and a sound row."""
    header, (good, harmful) = LOGS[name]
    return [header, good.format("1"), harmful.format("2", bad=bad), good.format("3")]


@every_log
def test_a_sound_log_is_recognised_and_read(tmp_path: Path, name: str) -> None:
    found = told(lines_of(tmp_path / "log", *log(name, "p")), **ASKED)

    assert (found.format, found.kwh, list(found.jobs)) == (name, 4.5, [2, 3, 4])


@every_log
@pytest.mark.parametrize(
    "bad", ["=cmd|' /C calc'!A0".replace("|", "-"), "+1+1", "@SUM(A1)", "é", "🦥", "\u2028", "a'b", " " * 1_000, "x" * 100_000]
)
def test_odd_text_in_a_cell_harms_nothing(tmp_path: Path, name: str, bad: str) -> None:
    found = told(lines_of(tmp_path / "log", *log(name, bad)), **ASKED)

    assert found.kwh == 4.5


@every_log
@pytest.mark.parametrize("bad", ["a\0b", '"never closed'])
def test_a_nul_or_a_quote_that_is_never_closed_harms_its_own_line_alone(tmp_path: Path, name: str, bad: str) -> None:
    found = told(lines_of(tmp_path / "log", *log(name, bad)), **ASKED)

    if name == "slurm" and '"' in bad:  # Slurm knows no quotes
        assert found.kwh == 4.5
    else:
        assert (list(found.jobs), list(found.torn)) == ([2, 4], [3])


@every_log
def test_line_ends_of_every_kind_count_alike(tmp_path: Path, name: str) -> None:
    lines = log(name, "p")
    path = tmp_path / "log"
    path.write_bytes(b"\xef\xbb\xbf" + f"{lines[0]}\r\n{lines[1]}\r{lines[2]}\n{lines[3]}".encode())

    assert list(told(path, **ASKED).jobs) == [2, 3, 4]


@every_log
def test_a_line_of_another_encoding_is_torn_off(tmp_path: Path, name: str) -> None:
    path = tmp_path / "log"
    path.write_bytes("\n".join(log(name, "Zürich")).encode("latin-1"))

    found = told(path, **ASKED)

    assert found.torn == {3: "the line is not UTF-8"}


def _utf16(text: bytes) -> bytes:
    return text.decode().encode("utf-16")


def _cut(text: bytes) -> bytes:
    return gzip.compress(text * 1_000)[:-20]


def _wide(text: bytes) -> bytes:
    header, _, rest = text.partition(b"\n")
    sign = next(sign for sign in (b"|", b"\t", b",") if sign in header)
    return header + b"".join(sign + b"c%d" % number for number in range(100_000)) + b"\n" + rest


def _twice(text: bytes) -> bytes:
    header, _, rest = text.partition(b"\n")
    sign = next(sign for sign in (b"|", b"\t", b",") if sign in header)
    return header + sign + header.split(sign)[-1] + b"\n" + rest


@every_log
@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (_utf16, "UTF-16"),
        (_cut, "cut"),
        (_wide, "100,0|columns; at most|line of more than|not recognised"),
        (_twice, "more than once"),
        (lambda _: b"", "empty"),
    ],
)
def test_a_file_that_is_no_log_is_refused_in_words(tmp_path: Path, name: str, harm: Callable[[bytes], bytes], words: str) -> None:
    path = tmp_path / "log"
    path.write_bytes(harm("\n".join(log(name, "p")).encode()))

    with pytest.raises(InvalidInput, match=words):
        told(path, name, **ASKED)


@every_log
def test_a_header_alone_is_no_job(tmp_path: Path, name: str) -> None:
    assert told(lines_of(tmp_path / "log", LOGS[name][0]), **ASKED).rows == 0


def test_a_file_is_read_as_the_format_that_is_named(tmp_path: Path) -> None:
    path = lines_of(tmp_path / "log", *log("slurm", "p"))

    assert list(readers())[:2] == ["codecarbon", "eco2ai"]
    with pytest.raises(InvalidInput, match=r"no emissions\.csv of CodeCarbon"):
        told(path, "codecarbon", **ASKED)
    with pytest.raises(InvalidInput, match="'mlflow' is no format; those are codecarbon, eco2ai, nextflow, slurm, plain"):
        told(path, "mlflow", **ASKED)


REAL = [
    "codecarbon/codecarbon_examples.csv",
    "codecarbon/gwp_lm_v322.csv",
    "nextflow/execution-trace-raw.tsv",
    "slurm/greenalgorithms_sacct_raw.txt",
]


@pytest.mark.parametrize("name", REAL)
@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), st.binary(max_size=12)), min_size=1, max_size=6))
def test_a_real_file_with_pieces_cut_out_and_put_in_never_breaks_the_reader(
    tmp_path_factory: pytest.TempPathFactory, name: str, cuts: list[tuple[float, int, bytes]]
) -> None:
    text = shared("jobs", *name.split("/")).read_bytes()
    for share, length, piece in cuts:
        at = int(share * len(text))
        text = text[:at] + piece + text[at + length :]
    path = tmp_path_factory.getbasetemp() / "log"
    path.write_bytes(text)

    try:
        found = told(path, location="FR", time_zone="Europe/Paris")
    except InvalidInput:
        return

    assert all(job["kwh"] >= 0 and job["start"] < job["end"] for job in found.jobs.values())
