"""How many cores and accelerators a job held, and the power that they draw by the W that the user gives for one of each.

A model, asked for and flagged: every device at that power for the whole time of the job, and nothing for what has no W.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from gridgram.units import kwh_from_joule
from service.importing.arrow import distinct, floats, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from service.backfill.cells import Columns

Allocation: TypeAlias = "Mapping[str, NDArray[np.float64]]"
"""For each name of a device how many of it each job held; `cpu` are cores, `gpu` accelerators without a name."""

CORES: Final = ("AllocCPUS", "NCPUS", "cpus")
NAMED_COLUMNS: Final = {"v100_32gb": "v100", "v100_16gb": "v100", "a100": "a100", "gpu_other": "gpu"}
"""Columns of an export that count GPUs by their kind."""
_GPUS: Final = re.compile(r"(?:^|,)gres/gpu(?::([^=,]+))?=(\d{1,9})(?=,|$)")
_CPUS: Final = re.compile(r"(?:^|,)cpu=(\d{1,9})(?=,|$)")


def allocated(columns: Columns) -> Allocation:
    """What each job held, by sacct's AllocTRES or by columns that count cores and GPUs."""
    found: dict[str, NDArray[np.float64]] = {}
    words, place = distinct(columns.texts("AllocTRES"), "AllocTRES")
    held = [_held(text_of(word)) for word in words]
    for name in sorted({name for counts in held for name in counts}):
        found[name] = np.array([counts.get(name, 0.0) for counts in held])[place]
    for column, name in NAMED_COLUMNS.items():
        if column in columns:
            found[name] = found.get(name, np.zeros(columns.count)) + _counts(columns, column)
    for column in CORES:
        if column in columns:
            counts = _counts(columns, column)
            found["cpu"] = np.where(counts > 0, counts, found.get("cpu", 0.0))
            break
    return found


def modelled_kwh(
    columns: Columns, energy_kwh: NDArray[np.float64], seconds: NDArray[np.float64], watts: Mapping[str, float], why_unknown: str
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The energy of each job [kWh], modelled from its devices where it is NaN and their W are given; and which of them are modelled.

    A row that stays unknown becomes a fault.
    """
    unknown = np.isnan(energy_kwh)
    is_modelled = np.zeros(columns.count, np.bool_)
    if not watts:
        columns.fault(unknown, lambda _: f"the energy is unknown: {why_unknown}")
        return energy_kwh, is_modelled
    if not unknown.any():
        return energy_kwh, is_modelled
    power_w, missing = _modelled_w(allocated(columns), watts, columns.count)
    columns.fault(unknown & (power_w <= 0), lambda row: f"the energy is unknown, and cannot be modelled: {missing(row)}")
    is_modelled = unknown & (power_w > 0)
    return np.where(is_modelled, kwh_from_joule(power_w * seconds), energy_kwh), is_modelled


def _modelled_w(held: Allocation, watts: Mapping[str, float], count: int) -> tuple[NDArray[np.float64], Callable[[int], str]]:
    """The power of each job [W], 0 where a device that it held has no W, and what tells of a row what is missing."""
    power, lacks = np.zeros(count), np.zeros(count, np.bool_)
    for name, counts in held.items():
        each = watts.get(name, 0.0 if name == "cpu" else watts.get("gpu", 0.0))
        power += counts * each
        lacks |= (counts > 0) & (each <= 0) & (name != "cpu")

    def missing(row: int) -> str:
        names = [name for name, counts in held.items() if counts[row] > 0]
        return f"it held {' and '.join(names) or 'no device that is told'}; say W for one with --power-from-tdp, such as cpu=7.5,gpu=300"

    return np.where(lacks, 0.0, power), missing


def _counts(columns: Columns, name: str) -> NDArray[np.float64]:
    """A column of counts, 0 for a cell that is none."""
    counts, known = floats(columns.texts(name), name)
    return np.where(known & (counts >= 0), counts, 0.0)


def _held(word: str) -> dict[str, float]:
    """Cores and GPUs of a text like cpu=32,gres/gpu=4,gres/gpu:a100=4, whose nameless count holds those with a name."""
    named: dict[str, float] = {}
    total = 0.0
    for name, count in _GPUS.findall(word):
        if name:
            named[name.lower()] = named.get(name.lower(), 0.0) + float(count)
        else:
            total = float(count)
    if rest := max(0.0, total - sum(named.values())):
        named["gpu"] = named.get("gpu", 0.0) + rest
    if cores := _CPUS.search(word):
        named["cpu"] = float(cores[1])
    return named
