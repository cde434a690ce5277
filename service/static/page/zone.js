// Zone: the last days and the days ahead of one place, where the numbers come from, and the same data to take along.

import { ask, Problem } from "./api.js";
import { hourChart } from "./chart.js";
import { h, show } from "./dom.js";
import { age, band, instant, number, rfc3339 } from "./format.js";
import { heatmap } from "./heatmap.js";
import { mixSection } from "./mix.js";
import { later, problemBox, provenanceList, qualityMark, repeatBox, saveButton, table } from "./parts.js";
import { isSupposed, legend, swatch } from "./scale.js";

const HOUR = 3_600_000;
const DAY_HOURS = 24;
const AHEAD_HOURS = 96;
const SPANS = [2, 7, 14, 31];

/** Show one place, named in the address: a zone or any other location. */
export async function render(place, context) {
  const [where = "FR", days = "7"] = context.rest;
  const located = await ask({ path: "/v1/locate", query: { location: where } }, context.stay);
  const present = Math.floor(Date.now() / HOUR) * HOUR;
  const query = { location: where, signal: context.signal };
  const span = { start: rfc3339(present - Number(days) * DAY_HOURS * HOUR), end: rfc3339(present) };
  const past = { path: "/v1/intensity", query: { ...query, ...span } };
  const calls = {
    latest: { path: "/v1/intensity/latest", query },
    past,
    ahead: { path: "/v1/forecast", query: { ...query, hours: String(AHEAD_HOURS) } },
    zone: { path: `/v1/zones/${located.zone}` },
  };
  const [latest, behind, ahead, zone] = await Promise.all(Object.values(calls).map((call) => answerOrProblem(call, context)));
  if (zone.sources?.mix) calls.mix = { path: "/v1/mix", query: { location: where, ...span } };
  const mixPlace = h("section", {});
  show(place,
    h("h1", {}, located.name, " ", h("small", {}, where === located.zone ? where : `${where} → ${located.zone}`)),
    located.location_detail && h("p", { class: "note" }, located.location_detail),
    told(latest, (answer) => newest(answer)),
    spans(where, days),
    h("h2", {}, "Hours behind and ahead"),
    chart(behind, ahead, located.name),
    told(behind, (answer) => [
      h("h2", {}, "Hour by day"), heatmap(pointsOf(answer.hours), `Hours of the last ${days} days, UTC`), legend(),
      answer.missing.length ? h("p", { class: "note" }, "Missing: ", answer.missing.map((span) => `${instant(span.start)} to ${instant(span.end)}`).join("; "), ".") : null,
    ]),
    mixPlace,
    h("h2", {}, "Take it along"), saves(past, calls.ahead, located.zone), repeatBox(...Object.values(calls)),
    h("h2", {}, "Where the numbers come from"), sources(behind, ahead), told(zone, (answer) => held(answer, context.signal)),
    numbers(behind, ahead));
  show(mixPlace, mixSection(calls.mix ? await answerOrProblem(calls.mix, context) : null, located.name));
}

function answerOrProblem(call, { stay }) {
  return ask(call, stay).catch((error) => {
    if (error instanceof Problem) return error;
    throw error;
  });
}

/** The same problem is told once; what is no problem is shown. */
function told(answer, draw) {
  return answer instanceof Problem ? problemBox(answer) : draw(answer);
}

function newest(answer) {
  return h("p", { class: "headline" }, swatch(answer.g_per_kwh, answer.quality), h("strong", {}, number(answer.g_per_kwh)), " g/kWh ",
    answer.low === answer.high ? null : h("span", { class: "quiet" }, `(${number(answer.low)}–${number(answer.high)}) `), qualityMark(answer.quality),
    h("span", { class: "quiet" }, ` ${instant(answer.start)} UTC, ${answer.provider}`, isSupposed(answer.quality) ? "" : `, ${age(answer.age_seconds)} old`),
    answer.stale && h("span", { class: "stale" }, " stale: its source is silent or repeats itself"));
}

function spans(where, days) {
  return h("p", { class: "row", role: "group", "aria-label": "Days behind" }, SPANS.map((span) =>
    h("a", { class: "pill", href: `#/zone/${encodeURIComponent(where)}/${span}`, "aria-current": String(span) === days ? "true" : null }, `${span} days`)));
}

function pointsOf(hours) {
  return hours.map((hour) => ({ ...hour, value: hour.g_per_kwh, text: `${instant(hour.start)} UTC: ${number(hour.g_per_kwh)} g/kWh (${band(hour.low, hour.high)}), ${hour.quality}, ${hour.provider}` }));
}

function chart(behind, ahead, name) {
  const hours = [behind, ahead].flatMap((answer) => (answer instanceof Problem ? [] : answer.hours));
  if (!hours.length) return null;
  const present = ahead instanceof Problem ? null : Date.parse(ahead.issued_at);
  return [ahead instanceof Problem ? problemBox(ahead) : null,
    hourChart({ points: pointsOf(hours), unit: "g/kWh", label: `Intensity of ${name}, hour by hour`, present })];
}

function saves(past, ahead, zone) {
  const problem = h("div");
  const kinds = [["csv", "CSV"], ["json", "JSON"], ["parquet", "Parquet"]];
  const row = (name, call) => h("p", { class: "row" }, `${name}: `, kinds.map(([format, label]) =>
    saveButton(label, { ...call, query: { ...call.query, format } }, `${zone}-${name.toLowerCase()}.${format}`, problem)));
  return [row("Hours", past), row("Forecast", ahead), problem];
}

function sources(behind, ahead) {
  return [["Hours behind", behind], ["Hours ahead", ahead]].map(([name, answer]) =>
    answer instanceof Problem ? null : [h("h3", {}, name), provenanceList(answer.provenance)]);
}

/** Which sources are asked for the zone, in order, and why others are not. */
function held(zone, signal) {
  const chain = zone.sources[signal] ?? [];
  if (!chain.length) return h("p", { class: "quiet" }, "No source tells of this zone and signal; what is shown is the embedded reference.");
  return h("details", {}, h("summary", {}, "Sources of this zone, in the order in which they are asked"),
    table("Sources", ["Source", "Asked", "Offers", "Scope", "Step"], chain.map((source) => [
      source.provider, source.is_asked ? "yes" : `no: ${source.why_not}`, source.offers.join(", "), source.scope, `${source.resolution_minutes} min`])));
}

function numbers(behind, ahead) {
  const hours = [behind, ahead].flatMap((answer) => (answer instanceof Problem ? [] : answer.hours));
  if (!hours.length) return null;
  return later("The numbers as a table", () => table("Intensity by the hour", ["Hour, UTC", "g/kWh", "p10", "p90", "Quality", "Source"], hours.map((hour) => [
    instant(hour.start), number(hour.g_per_kwh), number(hour.low), number(hour.high), qualityMark(hour.quality), hour.provider])));
}
