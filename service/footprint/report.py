"""A footprint as a report: Markdown, an HTML page with a picture, and the snippet for a model card of the Hugging Face Hub."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING

from service.footprint.picture import picture
from service.tables import mass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from service.footprint.answers import FootprintAnswer, FootprintStepAnswer
    from service.footprint.requests import FootprintRequest

PAGE_STYLE = (
    ":root{color-scheme:light dark}body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse;margin:1em 0}td,th{border-bottom:1px solid #8888;padding:.25em .7em;text-align:left;vertical-align:top}"
    "svg{max-width:100%;height:auto}code{overflow-wrap:anywhere}"
)
CONTENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

NEW_LINE = "\n"

Table = tuple[str, tuple[str, ...], list[tuple[str, ...]]]
"""A heading, the column names, the rows."""


def markdown(answer: FootprintAnswer) -> str:
    """The report as Markdown."""
    parts = [f"# Footprint of {_plain(_name(answer))}", _plain(_summary(answer))]
    for heading, columns, rows in tables(answer):
        lines = [columns, tuple("---" for _ in columns), *rows]
        parts.append(f"## {heading}\n\n" + "\n".join(f"| {' | '.join(_plain(cell) for cell in line)} |" for line in lines))
    parts += [f"## {heading}\n\n" + "\n".join(f"- {_plain(text)}" for text in texts) for heading, texts in _lists(answer)]
    return "\n\n".join(parts) + "\n"


def html(answer: FootprintAnswer) -> str:
    """The report as one page, without script and without anything from elsewhere; light or dark as the reader's system is."""
    body = [f"<h1>Footprint of {escape(_name(answer))}</h1>", f"<p>{escape(_summary(answer))}</p>", picture(answer)]
    for heading, columns, rows in tables(answer):
        head = "".join(f"<th>{escape(column)}</th>" for column in columns)
        lines = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
        body.append(f"<h2>{escape(heading)}</h2><table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>")
    for heading, texts in _lists(answer):
        body.append(f"<h2>{escape(heading)}</h2><ul>{''.join(f'<li>{escape(text)}</li>' for text in texts)}</ul>")
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<meta http-equiv="Content-Security-Policy" content="{CONTENT_POLICY}">'
        f"<title>Footprint of {escape(_name(answer))}</title><style>{PAGE_STYLE}</style>"
    )
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n{NEW_LINE.join(body)}\n</body></html>\n'


def card(answer: FootprintAnswer, request: FootprintRequest) -> str:
    """The `co2_eq_emissions` of a model card, in grams: the electricity of training alone, as other cards count; the rest as comments."""
    training = [component for component in answer["components"] if component["component"] == "training"]
    places = sorted({use["location"] for component in training for use in component.get("uses", []) if "location" in use})
    grams = sum(component["emissions_g"] for component in training)
    lines = ["co2_eq_emissions:", f"  emissions: {_decimal(grams)}  # grams of CO2e; {mass(grams)} of electricity for training"]
    source = f"Gridgram, {answer['signal']} intensity, location-based; {_how(answer)}"
    lines.append(f"  source: {json.dumps(source)}")
    if request.training_type is not None:
        lines.append(f"  training_type: {json.dumps(request.training_type)}")
    if places:
        lines.append(f"  geographical_location: {json.dumps(', '.join(places), ensure_ascii=False)}")
    if request.hardware_used is not None:
        lines.append(f"  hardware_used: {json.dumps(request.hardware_used, ensure_ascii=False)}")
    lines += [f"# {component['component']}: {_decimal(component['emissions_g'])} g" for component in answer["components"]]
    return "\n".join(lines) + "\n"


def _decimal(grams: float) -> str:
    """A mass without an exponent, which not every reader of YAML takes for a number. [g]"""
    return f"{grams:.1f}" if grams >= 1 else f"{grams:.9f}"


def tables(answer: FootprintAnswer) -> Iterable[Table]:
    """The tables of a report, those that the answer has something for."""
    yield "Components", ("component", "CO2e", "low", "high", "share"), _component_rows(answer)
    makers: Sequence[tuple[str, tuple[str, ...], Callable[[FootprintAnswer], list[tuple[str, ...]]]]] = (
        ("Phases", ("phase", "CO2e", "low", "high", "shares"), _phase_rows),
        ("Electricity", ("use", "where", "kWh at the facility", "g/kWh", "CO2e", "quality of the hours"), _use_rows),
        ("Hardware", ("devices", "kg each", "device hours", "life", "CO2e", "source"), _hardware_rows),
        ("Serving", ("use", "per request", "per calendar day", "per day of duration"), _serving_rows),
        ("Software Carbon Intensity", ("phase", "per", "score", "low", "high", "conforms"), _score_rows),
        ("The same electricity elsewhere", ("place", "zone", "mean g/kWh", "CO2e", "low", "high"), _place_rows),
        ("In other terms", ("of", "amount", "what", "source", "year"), _equivalent_rows),
        ("Arithmetic", ("step", "formula", "inputs", "result"), _step_rows),
    )
    for heading, columns, rows_of in makers:
        if rows := rows_of(answer):
            yield heading, columns, rows


def _name(answer: FootprintAnswer) -> str:
    return answer.get("name", "a model")


def _summary(answer: FootprintAnswer) -> str:
    total = answer["total"]
    low, high = mass(total["emissions_low_g"]), mass(total["emissions_high_g"])
    return f"{mass(total['emissions_g'])} CO2e in all ({answer['signal']}, location-based), between {low} and {high}. t: 1,000 kg."


def _how(answer: FootprintAnswer) -> str:
    """The quality of what training's electricity was counted with."""
    uses = [use for component in answer["components"] if component["component"] == "training" for use in component.get("uses", [])]
    qualities = sorted({quality for use in uses for quality in use["coverage"]})
    return (
        f"quality of the hours: {', '.join(qualities)}; hardware, idle machines and deployment not included"
        if qualities
        else "no training in the request"
    )


def _lists(answer: FootprintAnswer) -> list[tuple[str, list[str]]]:
    lists = [("To be known", answer["warnings"])] if answer["warnings"] else []
    comparison = answer.get("comparison")
    if comparison and comparison["unavailable"]:
        lists.append(("Places without an answer", [f"{place['location']}: {place['reason']}" for place in comparison["unavailable"]]))
    lists.append(("Band", [answer["uncertainty"]]))
    methods = [f"{method['name']}. Follows: {method['follows']}. Leaves out: {method['leaves_out']}." for method in answer["methods"]]
    return [*lists, ("What this is and is not", methods), ("Sources of the hours", _sources(answer))]


def _sources(answer: FootprintAnswer) -> list[str]:
    parts = [part for component in answer["components"] for use in component.get("uses", []) for part in use["provenance"]]
    return list(dict.fromkeys(f"{part['quality']}: {part['attribution']}, {part['licence']}" for part in parts)) or ["no electricity"]


def _component_rows(answer: FootprintAnswer) -> list[tuple[str, ...]]:
    rows = [
        (one["component"], *_masses(one["emissions_g"], one["emissions_low_g"], one["emissions_high_g"]), f"{one['total_share']:.1%}")
        for one in answer["components"]
    ]
    total = answer["total"]
    return [*rows, ("total", *_masses(total["emissions_g"], total["emissions_low_g"], total["emissions_high_g"]), "")]


def _phase_rows(answer: FootprintAnswer) -> list[tuple[str, ...]]:
    return [
        (
            phase["phase"],
            *_masses(phase["emissions_g"], phase["emissions_low_g"], phase["emissions_high_g"]),
            ", ".join(f"{share['component']} {share['phase_share']:.1%}" for share in phase["shares"]),
        )
        for phase in answer["phases"]
    ]


def _use_rows(answer: FootprintAnswer) -> list[tuple[str, ...]]:
    return [
        (
            use["name"],
            f"{use['location']} = {use['zone']}" if "zone" in use else "",
            f"{use['facility_energy_kwh']:,.1f}",
            f"{use['intensity_g_per_kwh']:,.1f}",
            mass(use["emissions_g"]),
            ", ".join(f"{share:.0%} {quality}" for quality, share in use["coverage"].items()),
        )
        for component in answer["components"]
        for use in component.get("uses", [])
    ]


def _hardware_rows(answer: FootprintAnswer) -> list[tuple[str, ...]]:
    return [
        (
            one["name"],
            f"{one['embodied_kg']:,g}",
            f"{one['device_hours']:,.0f}",
            f"{one['lifetime_years']:g} a, {one['utilisation']:.0%} used",
            mass(one["emissions_g"]),
            f"{one['source']} ({one['boundary']})",
        )
        for component in answer["components"]
        for one in component.get("hardware", [])
    ]


def _serving_rows(answer: FootprintAnswer) -> list[tuple[str, ...]]:
    return [
        (
            one["name"],
            f"{one['per_request_g']:.4g} g" if "per_request_g" in one else "",
            f"{mass(one['per_calendar_day_g'])} ({one['calendar_days']:g} d)" if "per_calendar_day_g" in one else "",
            f"{mass(one['per_day_of_duration_g'])} ({one['duration_days']:.2f} d)" if "per_day_of_duration_g" in one else "",
        )
        for one in answer["serving"]
    ]


def _score_rows(answer: FootprintAnswer) -> list[tuple[str, ...]]:
    return [
        (
            one["phase"],
            one["unit"],
            *(f"{one[end]:.4g} g" for end in ("score_g", "score_low_g", "score_high_g")),
            "yes" if one["conforms"] else f"no: {'; '.join(one['departures'])}",
        )
        for one in answer["sci"]
    ]


def _place_rows(answer: FootprintAnswer) -> list[tuple[str, ...]]:
    comparison = answer.get("comparison")
    return [
        (
            place["location"],
            place["zone"],
            f"{place['intensity_g_per_kwh']:,.1f}",
            *_masses(place["emissions_g"], place["emissions_low_g"], place["emissions_high_g"]),
        )
        for place in (comparison["locations"] if comparison else [])
    ]


def _equivalent_rows(answer: FootprintAnswer) -> list[tuple[str, ...]]:
    return [
        (f"{group['of']}, {mass(group['emissions_g'])}", f"{one['value']:,.4g} {one['unit']}", one["name"], one["source"], str(one["year"]))
        for group in answer["equivalents"]
        for one in group["equivalents"]
    ]


def _step_rows(answer: FootprintAnswer) -> list[tuple[str, ...]]:
    return [(step["name"], step["formula"], _inputs(step), _quantity(step["result"])) for step in answer["steps"]]


def _inputs(step: FootprintStepAnswer) -> str:
    return "; ".join(f"{_quantity(one)} ({one['source']})" for one in step["inputs"])


def _quantity(one: dict[str, object] | object) -> str:
    return f"{one['name']} = {one['value']:.10g} {one['unit']}"  # type: ignore[index]  # one of two shapes with these three


def _masses(*grams: float) -> tuple[str, ...]:
    return tuple(mass(each) for each in grams)


def _plain(text: str) -> str:
    """The text as Markdown that means nothing but itself in a cell."""
    flat = " ".join(text.split())
    return "".join(f"\\{sign}" if sign in "\\|`*_[]<>#" else sign for sign in flat)
