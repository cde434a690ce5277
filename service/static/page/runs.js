// Runs: what trackers have told of their energy, each run's figure by the best hours known now, and how it changed.

import { ask } from "./api.js";
import { h, show } from "./dom.js";
import { counted, instant, mass, massBand, massBandTold, number } from "./format.js";
import { coverageBar, provenanceList, repeatBox, table } from "./parts.js";

/** Show a page of runs, or one of them. */
export async function render(place, { rest, stay }) {
  const [id, after] = rest;
  if (id && id !== "after") await one(place, id, stay);
  else await many(place, after, stay);
}

async function many(place, after, stay) {
  const call = { path: "/v1/runs", query: { after } };
  const { runs, next } = await ask(call, stay);
  show(place,
    h("h1", {}, "Runs"),
    h("p", { class: "lead" }, "What trackers have sent, newest first. Figures follow the best hours that are known now."),
    runs.length ? table("Runs", ["Run", "Where", "From", "To", "Energy", "Emits", "p10–p90", "Not in it"], runs.map(row))
      : h("p", { class: "note" }, "No tracker has sent a run yet. CodeCarbon does with api_endpoint set to this service; others by POST /v1/runs/{id}/energy."),
    next && h("p", {}, h("a", { href: `#/runs/after/${encodeURIComponent(next)}` }, "Older runs")),
    repeatBox(call));
}

function row(run) {
  return [h("a", { href: `#/runs/${encodeURIComponent(run.id)}` }, run.name || run.id), run.zone ?? "–", run.start ? instant(run.start) : "–", run.end ? instant(run.end) : "–",
    `${number(run.energy_kwh)} kWh`, run.emissions_g === undefined ? "not known" : mass(run.emissions_g),
    run.emissions_g === undefined ? "–" : massBand(run.emissions_low_g, run.emissions_high_g), run.unpriced_kwh ? `${number(run.unpriced_kwh)} kWh` : "–"];
}

async function one(place, id, stay) {
  const call = { path: `/v1/runs/${encodeURIComponent(id)}`, query: { step: "PT1H" } };
  const run = await ask(call, stay);
  show(place,
    h("h1", {}, run.name || "Run", " ", h("small", {}, run.id)),
    figure(run),
    h("p", {}, `${number(run.energy_kwh)} kWh from ${counted(run.samples, "sample")} of ${run.tracker}, ${run.zone ?? "place not known"}, ${run.signal}.`,
      run.unpriced_kwh ? ` ${number(run.unpriced_kwh)} kWh have no intensity and are not in the figure.` : ""),
    run.remarks.map((remark) => h("p", { class: "note" }, remark)),
    Object.keys(run.coverage).length ? [h("h2", {}, "What is measured, and what is not"), coverageBar(run.coverage, "Share of the energy by quality")] : null,
    run.tracker_emissions_g === undefined ? null : h("p", {}, `The tracker itself says ${mass(run.tracker_emissions_g)}.`),
    h("h2", {}, "Over time"), table("Hours", ["Hour, UTC", "Energy", "Emits", "p10–p90"], run.over_time.map((step) => [
      instant(step.start), `${number(step.energy_kwh)} kWh`, step.emissions_g === undefined ? "not known" : mass(step.emissions_g),
      step.emissions_g === undefined ? "–" : massBand(step.emissions_low_g, step.emissions_high_g)])),
    revisions(run.revisions),
    h("h2", {}, "Where the numbers come from"), provenanceList(run.provenance), repeatBox(call));
}

function figure(run) {
  if (run.emissions_g === undefined) return h("p", { class: "headline" }, "Emissions are not known.");
  return h("p", { class: "headline" }, h("strong", {}, mass(run.emissions_g)), " CO₂e ", h("span", { class: "quiet" }, `(${massBandTold(run.emissions_low_g, run.emissions_high_g)})`));
}

function revisions(entries) {
  if (!entries.length) return null;
  return [h("h2", {}, "How the figure changed"), table("Revisions", ["When, UTC", "Hours", "Before", "After", "By"], entries.map((entry) => [
    instant(entry.at), String(entry.changed_hours), mass(entry.emissions_before_g), mass(entry.emissions_after_g), entry.providers.join(", ")]))];
}
