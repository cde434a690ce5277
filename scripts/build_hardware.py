"""Make gridgram/data/hardware.csv: the CO2e of making devices, one cited figure a row.

Each row quotes single facts from a published document that it names: a manufacturer's product carbon footprint, a paper, a public
data base under the French Licence Ouverte, or the method page of a tool. Nothing is copied from a data set as a whole. Figures of bare
dies and of parts are left out (a device is more), and so are those that could only be quoted from memory.

    python scripts/build_hardware.py > gridgram/data/hardware.csv
"""

from __future__ import annotations

import csv
import sys
from dataclasses import asdict, dataclass, fields

NO_RANGE = 0.6
"""Half-width where a source gives no range: the relative spread that EcoInfo's EcoDiag states for its devices."""
NO_RANGE_SOURCE = "no range in the source: +-60 %, the spread that EcoInfo EcoDiag states for its devices"
FOUR_YEARS = "our default; the source states none"
PCF_H100 = "NVIDIA HGX H100 product carbon footprint summary 2025 (ISO 14067)"
PARAMETRIC = "high end: BoaviztAPI's parametric model of the same card"


@dataclass(frozen=True, slots=True)
class Row:
    """One device. [kg CO2e a device, years]"""

    device: str
    title: str
    kind: str
    embodied_kg: float
    low_kg: float
    high_kg: float
    band_source: str
    boundary: str
    lifetime_years: float
    lifetime_source: str
    utilisation: float
    source: str


def without_range(kg: float) -> tuple[float, float, str]:
    """The band of a figure whose source gives none."""
    return round(kg * (1 - NO_RANGE), 6), round(kg * (1 + NO_RANGE), 6), NO_RANGE_SOURCE


def row(  # noqa: PLR0913, PLR0917 - the columns that every row has
    device: str, title: str, kind: str, kg: float, band: tuple[float, float, str], boundary: str, **rest: object
) -> Row:
    """A row; four years of life and full use unless its source says otherwise."""
    members = {"lifetime_years": 4.0, "lifetime_source": FOUR_YEARS, "utilisation": 1.0} | rest
    return Row(device, title, kind, kg, *band, boundary, **members)  # type: ignore[arg-type]  # checked by the loader and its test


ROWS = (
    row(
        "hgx-h100-8gpu",
        "NVIDIA HGX H100 board, 8 x H100 SXM 80GB, no host",
        "board",
        1312,
        without_range(1312),
        "cradle to gate",
        source=PCF_H100,
    ),
    row(
        "h100-sxm-80gb",
        "NVIDIA H100 SXM 80GB, an eighth of its HGX board",
        "gpu",
        164,
        (164, 575, f"low end: the figure itself; {PARAMETRIC}"),
        "cradle to gate",
        source=f"{PCF_H100}, 1,312 kg / 8",
    ),
    row(
        "hgx-b200-8gpu",
        "NVIDIA HGX B200 board, 8 x B200, no host",
        "board",
        2274,
        without_range(2274),
        "cradle to gate",
        source="NVIDIA HGX B200 product carbon footprint summary, as quoted once",
    ),
    row(
        "b200",
        "NVIDIA B200, an eighth of its HGX board",
        "gpu",
        284.25,
        without_range(284.25),
        "cradle to gate",
        source="NVIDIA HGX B200 product carbon footprint summary, 2,274 kg / 8",
    ),
    row(
        "a100-sxm4-40gb",
        "NVIDIA A100 SXM4 40GB",
        "gpu",
        127.6,
        (127.6, 273, f"low end: the figure itself; {PARAMETRIC}"),
        "cradle to gate",
        source="Falk et al. 2025, arXiv 2509.00093 (ISO 14040/44, primary data)",
    ),
    row(
        "a100-80gb",
        "NVIDIA A100 80GB, a lower bound",
        "gpu",
        150,
        (128, 273, f"low end: Falk et al. 2025; {PARAMETRIC}"),
        "manufacture, lower bound",
        lifetime_years=6.0,
        lifetime_source="the source",
        utilisation=0.85,
        source="Luccioni et al. 2022, arXiv 2211.02001, section 4.1",
    ),
    row(
        "a100-pcie-40gb",
        "NVIDIA A100 PCIe 40GB",
        "gpu",
        181,
        (181, 276, f"low end: the figure itself; {PARAMETRIC}"),
        "cradle to gate, transport, end of life",
        source="ADEME/Hubblo GPU calculator",
    ),
    row(
        "a100-with-host-share",
        "NVIDIA A100 with an eighth of its host",
        "gpu and share of host",
        318,
        without_range(318),
        "packaging, GPU, CPU, memory, storage / 8",
        source="Chien et al. 2023 (HotCarbon)",
    ),
    row(
        "gpu-with-node-share",
        "GPU of an 8-GPU node with an eighth of the node",
        "gpu and share of host",
        463,
        without_range(463),
        "manufacture of server and GPU",
        source="Morrison et al. 2025, arXiv 2503.05804, section 3.2, 3,700 kg / 8",
    ),
    row(
        "generic-gpu",
        "A powerful GPU of which nothing more is known",
        "gpu",
        60,
        (24, 96, "the source: +-60 %"),
        "manufacture",
        source="EcoInfo EcoDiag",
    ),
    row(
        "hpe-gpu-server",
        "GPU server without its GPUs (HPE ProLiant DL345 Gen10 Plus standing in for an Apollo 6500)",
        "server",
        2500,
        without_range(2500),
        "manufacture",
        lifetime_years=6.0,
        lifetime_source="Luccioni et al. 2022",
        utilisation=0.85,
        source="HPE, through Luccioni et al. 2022, arXiv 2211.02001, section 4.1",
    ),
    row(
        "aws-p5-host",
        "AWS p5.48xlarge without its GPUs",
        "server",
        5700,
        without_range(5700),
        "manufacture",
        lifetime_years=3.0,
        lifetime_source="the source",
        source="EcoLogits method page, LLM inference",
    ),
    row(
        "generic-server",
        "A server of which nothing more is known",
        "server",
        3660,
        without_range(3660),
        "life cycle without use",
        source="ADEME Base Empreinte, Licence Ouverte",
    ),
)


def main() -> None:
    """Write the table to standard output."""
    writer = csv.DictWriter(sys.stdout, [member.name for member in fields(Row)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(one) for one in ROWS)


if __name__ == "__main__":
    main()
