"""Models and issued forecasts as bytes and back: a version byte, a table in JSON, packed little-endian arrays; never a pickle.

The store that keeps them adds a checksum; what cannot be understood all the same is None, as if it were not there.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gridgram.forecast import FIXED_SHARES, Method, Model
from gridgram.forecast_ridge import INPUTS, OUTPUTS
from gridgram.interval import HOURS_PER_DAY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MODEL_VERSION: Final = 2
ISSUE_VERSION: Final = 1
FURTHER_ROWS: Final = len(FIXED_SHARES) + 2
"""What a model has beside its coefficients, of one number for each hour ahead: the shares and the band's two ends."""
_LENGTH: Final = struct.Struct("<BI")


@dataclass(frozen=True, slots=True, eq=False)
class Issued:
    """A forecast as it went out: when, from which hour on nothing was known, and the hours from `first_hour` on. [gCO2e/kWh]

    `own` is what a source itself forecast at that time, NaN where it did not.
    """

    first_hour: int
    origin: int
    g_per_kwh: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    own: NDArray[np.float64]


def encode_models(models: Sequence[Model]) -> bytes:
    """Pack the models of one zone and signal, one an hour of the day; coefficients as 32-bit numbers."""
    tables, columns, begin = {}, [], 0
    for model in models:
        tables[str(model.end_hour % HOURS_PER_DAY)] = {**_table(model), "begin": begin}
        columns += [model.coefficients.ravel(), model.shares.ravel(), model.below, model.above]
        begin += model.coefficients.size + FURTHER_ROWS * OUTPUTS
    return _packed(MODEL_VERSION, tables, columns)


def decode_model(packed: bytes, hour_of_day: int) -> Model | None:
    """Unpack the model for origins at this hour of the day; None where there is none, or none of this version and of finite numbers."""
    try:
        tables, numbers = _unpacked(MODEL_VERSION, packed)
        table = tables.get(str(hour_of_day))
        return _model(table, numbers) if table is not None else None
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError, struct.error):
        return None


def _table(model: Model) -> dict[str, Any]:
    return {
        "method": model.method,
        "first_hour": model.first_hour,
        "end_hour": model.end_hour,
        "days": model.days,
        "center": model.center,
        "offset_g": model.offset_g,
        "lowest": model.lowest,
        "highest": model.highest,
        "mape_percent": {name: mape for name, mape in model.mape_percent.items() if np.isfinite(mape)},
        "inputs": len(model.coefficients),
    }


def _model(table: dict[str, Any], numbers: NDArray[np.float32]) -> Model | None:
    begin, inputs = table["begin"], table["inputs"]
    rows = inputs + FURTHER_ROWS
    mine = numbers[begin : begin + rows * OUTPUTS].astype(np.float64).reshape(rows, OUTPUTS)
    if not np.isfinite(mine).all() or inputs not in {0, INPUTS}:
        return None
    return Model(
        Method(table["method"]),
        int(table["first_hour"]),
        int(table["end_hour"]),
        int(table["days"]),
        float(table["center"]),
        float(table["offset_g"]),
        float(table["lowest"]),
        float(table["highest"]),
        mine[:inputs],
        mine[inputs:-2],
        mine[-2],
        mine[-1],
        {Method(name): float(mape) for name, mape in table["mape_percent"].items()},
    )


def encode_issues(issues: Sequence[Issued]) -> bytes:
    """Pack issued forecasts, all of as many hours."""
    table = {"issues": [[issued.first_hour, issued.origin] for issued in issues]}
    return _packed(
        ISSUE_VERSION, table, [column for issued in issues for column in (issued.g_per_kwh, issued.low, issued.high, issued.own)]
    )


def decode_issues(packed: bytes) -> list[Issued]:
    """Unpack issued forecasts; none from bytes that are not of this version."""
    try:
        table, numbers = _unpacked(ISSUE_VERSION, packed)
        columns = numbers.astype(np.float64).reshape(len(table["issues"]), 4, -1)
        return [
            Issued(int(first_hour), int(origin), *of_one) for (first_hour, origin), of_one in zip(table["issues"], columns, strict=True)
        ]
    except (ValueError, KeyError, TypeError, AttributeError, struct.error):
        return []


def _packed(version: int, table: dict[str, Any], columns: Sequence[NDArray[np.float64]]) -> bytes:
    header = json.dumps(table, separators=(",", ":"), allow_nan=False).encode()
    return b"".join([_LENGTH.pack(version, len(header)), header, np.concatenate(columns).astype("<f4").tobytes()])


def _unpacked(expected: int, packed: bytes) -> tuple[dict[str, Any], NDArray[np.float32]]:
    version, size = _LENGTH.unpack_from(packed)
    if version != expected:
        msg = f"version {version} is not {expected}"
        raise ValueError(msg)
    end = _LENGTH.size + size
    return json.loads(packed[_LENGTH.size : end]), np.frombuffer(packed[end:], "<f4")
