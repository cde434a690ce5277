// Footprint: a model's life in one request, BLOOM's to begin with; components as stacked bars with their bands.

import { ask } from "./api.js";
import { BLOOM } from "./bloom.js";
import { h, s, show } from "./dom.js";
import { mass, massBand, massBandTold, number, share } from "./format.js";
import { copyButton, field, problemBox, qualityMark, repeatBox, table } from "./parts.js";

const [WIDTH, LEFT, RIGHT, ROW] = [880, 120, 120, 40];

/** Show the request, and what it leads to. */
export function render(place, { stay }) {
  const text = h("textarea", { rows: 16, spellcheck: "false", class: "code" });
  text.value = JSON.stringify(BLOOM, null, 2);
  const told = h("div", { "aria-live": "polite" });
  const count = async (event) => {
    event?.preventDefault();
    const call = { path: "/v1/footprint", body: text.value };
    try {
      const answer = await ask(call, stay);
      show(told, ...result(call, answer));
    } catch (error) {
      if (error.name === "AbortError") return;
      show(told, problemBox(error));
      told.dispatchEvent(new CustomEvent("problem", { bubbles: true, detail: error }));
    }
  };
  show(place,
    h("h1", {}, "A model's life"),
    h("p", { class: "lead" }, "Training, idle machines, hardware and deployment, each apart and with its band. Filled in is BLOOM, as its paper tells it; change it, or paste your own."),
    told,
    h("form", { class: "form", onsubmit: count }, h("div", { class: "wide" }, field("Request of POST /v1/footprint", text)), h("button", {}, "Count")));
  return count();
}

function result(call, answer) {
  return [
    h("p", { class: "headline" }, answer.name ? `${answer.name}: ` : "", h("strong", {}, mass(answer.total.emissions_g)), " CO₂e ",
      h("span", { class: "quiet" }, `(${massBandTold(answer.total.emissions_low_g, answer.total.emissions_high_g)})`)),
    answer.warnings.map((warning) => h("p", { class: "note" }, warning)),
    stack(answer), bars(answer.components),
    components(answer), rates(answer),
    h("p", { class: "row" }, copyButton("Copy answer as JSON", () => JSON.stringify(answer, null, 2))), repeatBox(call),
    h("p", { class: "quiet" }, answer.uncertainty),
    h("details", {}, h("summary", {}, "The arithmetic"), h("ol", { class: "steps" }, answer.steps.map(step))),
  ];
}

/** One bar of the shares of the whole. */
function stack({ components: parts }) {
  const label = parts.map((part) => `${part.component} ${share(part.total_share)}`).join(", ");
  const bar = h("div", { class: "stack", role: "img", "aria-label": `Shares of the whole: ${label}` }, parts.map((part) => {
    const piece = h("span", { class: `part ${part.component}` });
    piece.style.flexGrow = String(part.total_share);
    return piece;
  }));
  return h("div", {}, bar, h("ul", { class: "legend" }, parts.map((part) => h("li", {}, h("span", { class: `swatch part ${part.component}`, "aria-hidden": "true" }), `${part.component} ${share(part.total_share)}`))));
}

/** A bar for each component, stacked from its entries, with a whisker from low to high. */
function bars(parts) {
  const top = Math.max(...parts.map((part) => part.emissions_high_g)) || 1;
  const x = (grams) => LEFT + (WIDTH - LEFT - RIGHT) * grams / top;
  const rows = parts.map((part, index) => {
    const middle = index * ROW + ROW / 2;
    let from = 0;
    const pieces = [...(part.uses ?? []), ...(part.hardware ?? [])].map((entry) => {
      const piece = s("rect", { class: `part ${part.component}`, x: x(from), width: Math.max(x(from + entry.emissions_g) - x(from) - 1, 1), y: middle - 11, height: 22 },
        s("title", {}, `${entry.name}: ${mass(entry.emissions_g)}`));
      from += entry.emissions_g;
      return piece;
    });
    const [low, high] = [x(part.emissions_low_g), x(part.emissions_high_g)];
    return s("g", {}, s("text", { x: 0, y: middle + 5, class: "name" }, part.component), pieces,
      low === high ? null : s("path", { class: "whisker", d: `M${low} ${middle - 6}v12M${low} ${middle}H${high}M${high} ${middle - 6}v12` }),
      s("text", { x: Math.max(high, x(part.emissions_g)) + 8, y: middle + 5 }, mass(part.emissions_g)));
  });
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Components with their bands" },
    s("svg", { class: "bars", viewBox: `0 0 ${WIDTH} ${parts.length * ROW}`, role: "img", "aria-label": "Components with their bands; the table below tells the same." }, rows));
}

function components({ components: parts }) {
  const rows = parts.flatMap((part) => [
    [h("strong", {}, part.component), h("strong", {}, mass(part.emissions_g)), massBand(part.emissions_low_g, part.emissions_high_g), share(part.total_share), ""],
    ...(part.uses ?? []).map((use) => [use.name, mass(use.emissions_g), massBand(use.emissions_low_g, use.emissions_high_g), "",
      [`${number(use.facility_energy_kwh)} kWh × ${number(use.intensity_g_per_kwh)} g/kWh `, Object.keys(use.coverage).map(qualityMark)]]),
    ...(part.hardware ?? []).map((device) => [device.name, mass(device.emissions_g), massBand(device.emissions_low_g, device.emissions_high_g), "",
      `${number(device.device_hours)} h of ${number(device.embodied_kg)} kg over ${number(device.lifetime_years)} years, used ${share(device.utilisation)}`]),
  ]);
  return table("Components", ["What", "Emits", "p10–p90", "Share", "Made of"], rows);
}

function rates({ serving, sci }) {
  const rows = [
    ...serving.flatMap((entry) => [
      entry.per_request_g === undefined ? null : [`${entry.name}, per request`, mass(entry.per_request_g)],
      entry.per_token_g === undefined ? null : [`${entry.name}, per token`, mass(entry.per_token_g)],
      entry.per_calendar_day_g === undefined ? null : [`${entry.name}, per calendar day`, mass(entry.per_calendar_day_g)],
    ]),
    ...sci.map((score) => [`SCI of ${score.phase}, per ${score.unit}`, [mass(score.score_g), score.conforms ? "" : h("small", {}, ` not by the letter of the standard: ${score.departures.join("; ")}`)]]),
  ].filter(Boolean);
  return rows.length ? table("Per request, day and functional unit", ["Per", "Emits"], rows) : null;
}

function step({ name, formula, inputs, result: { value, unit } }) {
  return h("li", {}, h("strong", {}, name), h("pre", {}, `${formula}\n`, inputs.map((input) => `  ${input.name} = ${input.value} ${input.unit}  (${input.source})\n`), `= ${value} ${unit}`));
}
