"""What the tests of runs share: a house whose hours are made by hand, and a PostgreSQL server of their own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gridgram.quality import QUALITY_CODES, Quality, Scope, Signal
from gridgram.series import IntensitySeries, Source
from service.app import build_gridgram
from service.runs.sqlite_records import SqliteRecords
from service.runs.usecase import Runs
from service.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from service.runs.records import Records

READY_SECONDS = 20.0


def house(folder: Path, now: datetime, records: Records | None = None) -> Runs:
    """Runs over a house without sources, at that time; close its intensity and itself when done."""
    settings = Settings(offline=True, store=f"sqlite:///{folder / 'series.sqlite'}")
    gridgram = replace(build_gridgram(settings), now=lambda: now)
    return Runs(gridgram, records or SqliteRecords(folder / "records.sqlite"))


def hours(first_hour: int, g_per_kwh: Sequence[float], quality: Quality, provider: str = "rte", zone: str = "FR") -> IntensitySeries:
    """Hours of a zone, with a band of a tenth on each side."""
    source = Source(provider, Signal.LIFECYCLE, Scope.PRODUCTION, "Licence Ouverte 2.0", "made by hand")
    numbers, zeros = np.array(g_per_kwh, float), np.zeros(len(g_per_kwh), np.uint8)
    codes = np.full(len(g_per_kwh), QUALITY_CODES[quality], np.uint8)
    return IntensitySeries(zone, Signal.LIFECYCLE, first_hour, numbers, numbers * 0.9, numbers * 1.1, codes, zeros, (source,))


def postgres_programs() -> Path | None:
    """The folder of PostgreSQL's programs, where it is installed."""
    places = [Path(found).resolve().parent for found in [shutil.which("initdb")] if found]
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "initdb").exists() and (place / "postgres").exists()), None)


@contextmanager
def postgres_server(folder: Path) -> Iterator[str]:
    """A cluster of its own, on a free port of loopback; its URL. Skips where PostgreSQL is not installed."""
    programs = postgres_programs()
    if programs is None:
        pytest.skip("needs PostgreSQL: initdb and postgres are not installed (on Debian: apt-get install postgresql)")
    ordinary = {"user": "nobody", "group": "nogroup"} if os.geteuid() == 0 else {}  # it refuses to run as root
    home = folder / "postgres"
    home.mkdir()
    if ordinary:
        shutil.chown(home, "nobody", "nogroup")
        for parent in home.parents:
            if parent.stat().st_uid == 0 and str(parent).startswith(str(folder.anchor) + "tmp/"):
                parent.chmod(parent.stat().st_mode | 0o011)
    cluster = home / "cluster"
    initdb = [programs / "initdb", "-D", cluster, "-U", "gridgram", "--auth=trust", "--no-locale", "-E", "UTF8", "--no-sync"]
    subprocess.run(initdb, check=True, capture_output=True, cwd=home, **ordinary)  # type: ignore[call-overload]  # user and group or neither
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [programs / "postgres", "-D", cluster, "-h", "127.0.0.1", "-p", str(port), "-k", home]
    with (home / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=home, **ordinary)  # type: ignore[call-overload]  # as above
    try:
        deadline = time.monotonic() + READY_SECONDS
        while "ready to accept connections" not in (home / "log").read_text():
            assert process.poll() is None, (home / "log").read_text()
            assert time.monotonic() < deadline, (home / "log").read_text()
            time.sleep(0.02)
        yield f"postgresql://gridgram@127.0.0.1:{port}/postgres"
    finally:
        process.terminate()
        process.wait(READY_SECONDS)
