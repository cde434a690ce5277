// Convert: a profile, or kWh between two dates, becomes emissions hour by hour; what is measured and what is not is seen at a glance.

import { ask } from "./api.js";
import { hourChart } from "./chart.js";
import { h, show } from "./dom.js";
import { band, instant, mass, massBandTold, number, rfc3339 } from "./format.js";
import { coverageBar, field, later, problemBox, provenanceList, qualityMark, repeatBox, table } from "./parts.js";
import { readProfile, Unreadable } from "./profile.js";

const HOUR = 3_600_000;
const PLACEHOLDER = "start,kwh\n2024-03-11T08:00:00Z,1.2\n2024-03-11T09:00:00Z,0.8";

/** Show the form, and what it leads to. */
export function render(place, { signal, stay }) {
  const today = Math.floor(Date.now() / (24 * HOUR)) * 24 * HOUR;
  const input = {
    location: h("input", { required: true, value: "FR", spellcheck: "false", autocomplete: "off" }),
    pue: h("input", { type: "number", value: 1, min: 1, max: 10, step: "any", required: true }),
    kwh: h("input", { type: "number", value: 24, min: 0, step: "any" }),
    start: h("input", { value: rfc3339(today - 24 * HOUR), spellcheck: "false" }),
    end: h("input", { value: rfc3339(today), spellcheck: "false" }),
    text: h("textarea", { rows: 7, placeholder: PLACEHOLDER, spellcheck: "false" }),
    file: h("input", { type: "file", accept: ".csv,.json,.txt,text/csv,application/json" }),
  };
  const told = h("div", { "aria-live": "polite" });
  const take = async (file) => { if (file) input.text.value = await file.text(); };
  input.file.addEventListener("change", () => take(input.file.files[0]));
  const form = h("form", { class: "form", onsubmit: (event) => { event.preventDefault(); convert(input, { signal, stay }, told); } },
    field("Where", input.location, "a zone, cloud region or point"), field("PUE", input.pue, "1 where the kWh are the facility's own"),
    h("fieldset", { class: "wide across" }, h("legend", {}, "Energy in all"), field("kWh", input.kwh), field("Start", input.start), field("End", input.end)),
    h("fieldset", { class: "wide" }, h("legend", {}, "or a profile, which goes before"),
      field("CSV with start and kwh, or JSON", input.text, "paste it, drop a file here, or choose one; times need an offset"), field("File", input.file)),
    h("button", {}, "Convert"));
  form.addEventListener("dragover", (event) => event.preventDefault());
  form.addEventListener("drop", (event) => {
    event.preventDefault();
    take(event.dataTransfer.files[0]);
  });
  show(place, h("h1", {}, "What did it emit?"), form, told);
}

async function convert(input, { signal, stay }, told) {
  show(told, h("p", { class: "quiet" }, "Asking …"));
  try {
    const given = input.text.value.trim() ? readProfile(input.text.value) : { energy: { start: input.start.value, end: input.end.value, total_kwh: Number(input.kwh.value) } };
    const call = { path: "/v1/emissions", body: { location: input.location.value, pue: Number(input.pue.value), signal, ...given, include: ["hours", "equivalents"] } };
    show(told, ...result(call, await ask(call, stay)));
  } catch (error) {
    if (error.name === "AbortError") return;
    if (error instanceof Unreadable) {
      show(told, h("div", { class: "problem", role: "alert" }, h("p", {}, error.message)));
      return;
    }
    show(told, problemBox(error));
    told.dispatchEvent(new CustomEvent("problem", { bubbles: true, detail: error }));
  }
}

function result(call, answer) {
  return [
    h("p", { class: "headline" }, h("strong", {}, mass(answer.emissions_g)), " CO₂e ", h("span", { class: "quiet" }, `(${massBandTold(answer.emissions_low_g, answer.emissions_high_g)})`)),
    h("p", {}, `${number(answer.facility_energy_kwh)} kWh at ${number(answer.intensity_g_per_kwh)} g/kWh on the mean, ${answer.zone ?? "a given intensity"}, ${answer.signal}, ${instant(answer.start)} to ${instant(answer.end)} UTC.`),
    answer.location_detail && h("p", { class: "note" }, answer.location_detail),
    h("h2", {}, "What is measured, and what is not"), coverageBar(answer.coverage, "Share of the energy by quality"),
    h("h2", {}, "Hour by hour"), hourChart({ points: pointsOf(answer.hours), unit: "g CO₂e", label: "Emissions, hour by hour", bars: true }),
    equivalents(answer.equivalents),
    h("h2", {}, "Where the numbers come from"), provenanceList(answer.provenance), repeatBox(call), numbers(answer.hours),
  ];
}

function pointsOf(hours) {
  return hours.map((hour) => ({ ...hour, value: hour.emissions_g, low: undefined, high: undefined,
    text: `${instant(hour.start)} UTC: ${mass(hour.emissions_g)} = ${number(hour.kwh)} kWh × ${number(hour.g_per_kwh)} g/kWh, ${hour.quality}, ${hour.provider}` }));
}

function equivalents(entries) {
  return h("details", {}, h("summary", {}, "In other terms"), h("ul", {}, entries.map((entry) =>
    h("li", {}, `${entry.name}: ${number(entry.value)} ${entry.unit}`, h("span", { class: "quiet" }, ` (${entry.source}, ${entry.year})`)))));
}

function numbers(hours) {
  return later("The hours as a table", () => table("Emissions by the hour", ["Hour, UTC", "kWh", "g/kWh", "p10–p90", "Emits", "Quality", "Source"], hours.map((hour) => [
    instant(hour.start), number(hour.kwh), number(hour.g_per_kwh), hour.low === hour.high ? "–" : band(hour.low, hour.high), mass(hour.emissions_g), qualityMark(hour.quality), hour.provider])));
}
