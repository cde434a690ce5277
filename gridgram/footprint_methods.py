"""Which standard's boundary a footprint is, and which it is not: said in every answer, since the same word means different sums."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Method:
    """A standard, what of it the answer follows, and what it leaves out."""

    name: str
    follows: str
    leaves_out: str


METHODS: tuple[Method, ...] = (
    Method(
        "ISO/IEC 21031:2024, Software Carbon Intensity (SCI)",
        "energy x location-based intensity (average, or marginal where the signal says so) plus the embodied part by lifetime and share, "
        "per functional unit, in `sci`",
        "contracts, certificates and offsets, as the specification demands; a score without hardware says that it departs",
    ),
    Method(
        "SCI for AI",
        "the training phase is what its provider score counts, the deployment phase what its consumer score counts",
        "data preparation, failed and intermediate runs, unless they stand in the request",
    ),
    Method(
        "GHG Protocol, scope 2, location-based",
        "with signal `direct`: combustion in power plants alone",
        "with signal `lifecycle` fuel supply and plants are in it too, which are scope 3 there, as hardware is in any case",
    ),
    Method(
        "GHG Protocol, scope 2, market-based",
        "only `market_based_emissions_g`, from what the request says of its contracts",
        "it is in no total, no score and no comparison",
    ),
    Method(
        "ITU-T L.1410 and ISO 14040/14044, life cycle assessment",
        "greenhouse gases of use and, for the hardware given, of its making",
        "it is no life cycle assessment: no other impacts, no critical review; buildings and cables are not in it, end of life only where "
        "a device's boundary names it",
    ),
    Method(
        "ISO 14067, carbon footprint of a product",
        "figures of devices whose source says that they follow it",
        "the sum itself is not verified under it",
    ),
    Method(
        "Luccioni, Viguier and Ligozat 2022 (arXiv 2211.02001), BLOOM",
        "training, idle and embodied emissions apart, lifetimes divided by utilisation",
        "their total holds no PUE, since idle machines stand for the overhead, and no deployment",
    ),
)
