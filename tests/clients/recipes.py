"""What the recipes leave behind in the tools that they are for: run by the tests in the clients' own environment, each as it stands.

Takes the address of a Gridgram and the folder of the recipes; works in the present folder. Prints one JSON object: what each tool's own
files say afterwards, or how it failed.
"""

from __future__ import annotations

import json
import os
import re
import struct
import sys
import traceback
from datetime import UTC, datetime, timedelta
from pathlib import Path

ADDRESS, RECIPES = sys.argv[1], Path(sys.argv[2])
HOST = "http://127.0.0.1:8080"
HEAD_BYTES, BLOCK_BYTES, CHUNK = 7, 32_768, struct.Struct("<IHB")
WHOLE, LAST = 1, 4
OFFLINE = {
    "MLFLOW_ALLOW_FILE_STORE": "true",
    "MLFLOW_TRACKING_URI": Path("mlruns").absolute().as_uri(),
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "WANDB_MODE": "offline",
    "WANDB_SILENT": "true",
    "WANDB_ERROR_REPORTING": "false",
    "ELECTRICITYMAPS_API_TOKEN": "local",
}
"""A store in a folder, and no word to anyone outside."""


def run(recipe: str, language: str):
    """Run the first block of a recipe in a language, with the address in place of its host."""
    code = re.search(rf"```{language}\n(.*?)```", (RECIPES / f"{recipe}.md").read_text(), re.DOTALL)
    exec(code[1].replace(HOST, ADDRESS), {"__name__": "recipe"})  # noqa: S102 - a recipe of ours


def mlflow():
    import mlflow

    run("mlflow", "python")
    return mlflow.last_active_run().data.metrics


def wandb():
    import wandb
    from wandb.proto.wandb_internal_pb2 import Record

    run("wandb", "python")
    wandb.teardown()  # what is written by another process is then whole
    (log,) = Path().glob("wandb/offline-run-*/*.wandb")
    items = [item for record in records(log.read_bytes()) for item in Record.FromString(record).summary.update]
    return {item.key or item.nested_key[0]: json.loads(item.value_json) for item in items}


def records(log: bytes):
    """The records of an offline run: LevelDB's framing (its doc/log_format.md) behind a head of seven bytes."""
    at, parts = HEAD_BYTES, []
    while at + CHUNK.size <= len(log):
        if (left := BLOCK_BYTES - at % BLOCK_BYTES) < CHUNK.size:
            at += left
            continue
        _, length, kind = CHUNK.unpack_from(log, at)
        parts.append(log[at + CHUNK.size : at + CHUNK.size + length])
        at += CHUNK.size + length
        if kind in {WHOLE, LAST}:
            yield b"".join(parts)
            parts = []


def airflow():
    from electricitymaps_airflow_scheduler.lib import electricitymaps as library

    run("airflow", "")
    found = library.schedule_execution(1.5, datetime.now(UTC) + timedelta(hours=14), library.DEFAULT_OPTIMIZATION_SIGNAL, [(48.85, 2.35)])
    return {"url": library.CONSUMPTION_OPTIMIZER_URL, "g_per_kwh": found.optimization_output.metric_value_optimal_execution}


def main() -> None:
    os.environ.update(OFFLINE)
    sys.path.insert(0, str(RECIPES.parents[1] / "examples"))
    told, stdout = {}, sys.stdout
    sys.stdout = sys.stderr
    for recipe in (mlflow, wandb, airflow):
        try:
            told[recipe.__name__] = recipe()
        except Exception:  # noqa: BLE001 - told to the test, which fails
            told[recipe.__name__] = {"failed": traceback.format_exc()}
    stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
