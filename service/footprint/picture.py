"""The picture of a footprint: its components stacked in one bar, with a line from low to high under each. SVG, no script.

Colours follow the reader's preference for light or dark; each component has its own row with its name, so that the picture is read
without colours too.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from service.tables import mass

if TYPE_CHECKING:
    from service.footprint.answers import FootprintAnswer, FootprintBandAnswer, FootprintComponentAnswer

WIDTH, LEFT, BAR, ROW, TOP = 760, 130, 560, 34, 86
COLOURS = {
    "all": ("#555555", "#aaaaaa"),
    "training": ("#1f6fb2", "#6cb4f0"),
    "idle": ("#b25e00", "#f0a04a"),
    "embodied": ("#55782b", "#a3cf6d"),
    "deployment": ("#7b3fa0", "#c99be6"),
}
"""Each component's colour on white and on black."""


def picture(answer: FootprintAnswer) -> str:
    """Draw the components of a footprint, stacked, and each with its band."""
    components = answer["components"]
    widest_g = max([answer["total"]["emissions_high_g"], *(component["emissions_high_g"] for component in components)]) or 1.0
    height = TOP + ROW * len(components) + 16
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">',
        f"<title>{escape(_title(answer))}</title>",
        f"<style>{_style()}</style>",
        f'<text x="{LEFT}" y="22">{escape(_title(answer))}</text>',
        *_stack(components, widest_g),
        _line("all", answer["total"], widest_g, 71),
        *(line for row, component in enumerate(components) for line in _row(row, component, widest_g)),
        "</svg>",
    ]
    return "\n".join(parts)


def _title(answer: FootprintAnswer) -> str:
    total = answer["total"]
    low, high = mass(total["emissions_low_g"]), mass(total["emissions_high_g"])
    name = f"{answer['name']}: " if "name" in answer else ""
    return f"{name}{mass(total['emissions_g'])} CO2e, between {low} and {high}"


def _style() -> str:
    light = "".join(f".{name}{{fill:{colours[0]};stroke:{colours[0]}}}" for name, colours in COLOURS.items())
    dark = "".join(f".{name}{{fill:{colours[1]};stroke:{colours[1]}}}" for name, colours in COLOURS.items())
    return (
        f"text{{font:14px sans-serif;fill:#111}}.end{{text-anchor:end}}{light}@media (prefers-color-scheme:dark){{text{{fill:#eee}}{dark}}}"
    )


def _stack(components: list[FootprintComponentAnswer], widest_g: float) -> list[str]:
    """The bar of all components, one after the other."""
    bars, x = [f'<text class="end" x="{LEFT - 10}" y="58">all</text>'], float(LEFT)
    for component in components:
        width = component["emissions_g"] / widest_g * BAR
        hint = f"{component['component']} {mass(component['emissions_g'])}, {component['total_share']:.1%}"
        bars.append(
            f'<rect class="{component["component"]}" x="{x:.2f}" y="40" width="{width:.2f}" height="26"><title>{hint}</title></rect>'
        )
        x += width
    return bars


def _row(row: int, component: FootprintComponentAnswer, widest_g: float) -> list[str]:
    """One component: its bar, a line from low to high, its mass and share."""
    y = TOP + ROW * row
    name, middle = component["component"], component["emissions_g"]
    middle_x, high_x = (LEFT + component[end] / widest_g * BAR for end in ("emissions_g", "emissions_high_g"))
    text = f"{mass(middle)} ({component['total_share']:.1%})"
    return [
        f'<text class="end" x="{LEFT - 10}" y="{y + 15}">{name}</text>',
        f'<rect class="{name}" x="{LEFT}" y="{y + 2}" width="{middle_x - LEFT:.2f}" height="12"/>',
        _line(name, component, widest_g, y + 20),
        f'<text x="{min(max(high_x, middle_x) + 8, WIDTH - 150):.2f}" y="{y + 15}">{text}</text>',
    ]


def _line(name: str, band: FootprintBandAnswer, widest_g: float, y: int) -> str:
    """A line from low to high."""
    low_x, high_x = (LEFT + end / widest_g * BAR for end in (band["emissions_low_g"], band["emissions_high_g"]))
    hint = f"{mass(band['emissions_low_g'])} to {mass(band['emissions_high_g'])}"
    return f'<line class="{name}" x1="{low_x:.2f}" x2="{high_x:.2f}" y1="{y}" y2="{y}" stroke-width="3"><title>{hint}</title></line>'
