"""Write what the service is made of as a CycloneDX document, from requirements.lock: the same lock, the same bytes.

python scripts/write_sbom.py FILE
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

ROOT = Path(__file__).resolve().parents[1]


def sbom(lock: Path) -> str:
    """The document. Every package has the hashes of the lock, and none names a host."""
    command = [sys.executable, "-m", "cyclonedx_py", "requirements", "--pyproject", "pyproject.toml", "--output-reproducible"]
    environment = {name: text for name, text in os.environ.items() if name not in {"SOURCE_DATE_EPOCH", "PYTHONPATH"}}
    made = subprocess.run([*command, "--no-validate", str(lock)], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)  # noqa: S603 - our own lock
    document: dict[str, Any] = json.loads(made.stdout)
    for component in document["components"]:
        marker = re.search(r" ; (.*?) +--hash", component.pop("description"))
        if marker:
            component["description"] = f"where {marker[1]}"
        for place in component["externalReferences"]:  # they carry the hashes; a mirror serves the same bytes as any other host
            place["url"] = re.sub(r"^https?://[^/]+", "", place["url"])
    text = json.dumps({**document, "serialNumber": ""}, sort_keys=True)
    document["serialNumber"] = f"urn:uuid:{uuid5(NAMESPACE_URL, text)}"
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(sbom(ROOT / "requirements.lock"), encoding="utf-8")
