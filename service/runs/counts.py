"""What is counted of runs, for the metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.metrics.collect import Samples
    from service.runs.usecase import Runs


def run_samples(runs: Runs) -> Samples:
    """Records that came in, and the figures of the runs that were worked out last."""
    return {
        "gridgram_records_total": {(tracker,): float(count) for tracker, count in runs.kept.items()},
        "gridgram_records_repeated_total": {(tracker,): float(count) for tracker, count in runs.repeated.items()},
        "gridgram_run_energy_kwh": {(run,): energy_kwh for run, (energy_kwh, _) in runs.told.items()},
        "gridgram_run_emissions_grams": {(run,): emissions_g for run, (_, emissions_g) in runs.told.items()},
    }
