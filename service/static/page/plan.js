// Plan: where and when a job emits least, drawn on a time line, and ready to be handed on.

import { ask } from "./api.js";
import { h, s, show } from "./dom.js";
import { clock, day, instant, mass, massBand, massBandTold, number, rfc3339 } from "./format.js";
import { copyable, copyButton, field, problemBox, provenanceList, qualityMark, repeatBox, table } from "./parts.js";
import { legend, paint } from "./scale.js";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const WINDOW_HOURS = 48;
const [WIDTH, LEFT, TOP, ROW] = [880, 128, 22, 34];

/** Show the form, and what it leads to. */
export function render(place, { signal, stay }) {
  const input = {
    locations: h("input", { required: true, value: "FR, DE, US-CAL-CISO", spellcheck: "false", autocomplete: "off" }),
    hours: h("input", { type: "number", required: true, value: 8, min: 0.25, step: 0.25 }),
    kwh: h("input", { type: "number", required: true, value: 80, min: 0, step: "any" }),
    latest: h("input", { type: "datetime-local", required: true, value: local(Math.ceil(Date.now() / HOUR) * HOUR + WINDOW_HOURS * HOUR) }),
    interruptible: h("input", { type: "checkbox" }),
  };
  const told = h("div", { "aria-live": "polite" });
  const request = () => ({
    path: "/v1/schedule",
    body: {
      locations: splitLocations(input.locations.value),
      energy: { duration: `PT${Math.round(input.hours.value * 60)}M`, total_kwh: Number(input.kwh.value) },
      latest: rfc3339(new Date(input.latest.value)),
      interruptible: input.interruptible.checked,
      signal,
    },
  });
  const plan = async (event) => {
    event.preventDefault();
    show(told, h("p", { class: "quiet" }, "Asking …"));
    const call = request();
    try {
      show(told, ...result(call, await ask(call, stay)));
    } catch (error) {
      if (error.name === "AbortError") return;
      show(told, problemBox(error));
      told.dispatchEvent(new CustomEvent("problem", { bubbles: true, detail: error }));
    }
  };
  show(place,
    h("h1", {}, "Where and when does it emit least?"),
    h("form", { class: "form", onsubmit: plan },
      field("Where it may run", input.locations, "zones, cloud regions or points, with commas between; the first is compared with"),
      field("Hours that it takes", input.hours), field("Energy in kWh", input.kwh),
      field("Done by, in your local time", input.latest),
      h("label", { class: "check" }, input.interruptible, " It may be paused"),
      h("button", {}, "Plan")),
    told);
}

function result(call, answer) {
  const best = answer.options[0];
  return [
    best ? headline(best, answer.baseline) : h("p", { class: "note" }, "No run of the job fits."),
    answer.unavailable.map((entry) => h("p", { class: "note" }, h("strong", {}, entry.location), `: ${entry.reason}.`)),
    best && [h("h2", {}, "The best of each place"), timeline(answer), legend()],
    best && options(answer),
    best && [h("h2", {}, "Hand it on"), handing(best)],
    h("p", { class: "row" }, copyButton("Copy answer as JSON", () => JSON.stringify(answer, null, 2))),
    repeatBox(call),
    h("details", {}, h("summary", {}, "Where the numbers come from"), provenanceList(answer.provenance)),
  ];
}

function headline(best, baseline) {
  return h("p", { class: "headline" }, h("strong", {}, best.location), ` from ${instant(best.start)} to ${instant(best.end)} UTC: `,
    h("strong", {}, mass(best.emissions_g)), h("span", { class: "quiet" }, ` (${massBandTold(best.emissions_low_g, best.emissions_high_g)}) `), qualityMark(best.quality),
    baseline && h("span", { class: "quiet" }, ` ${saved(best)} against starting at ${instant(baseline.start)} UTC in ${baseline.location} (${mass(baseline.emissions_g)})`));
}

/** What an option saves, with its band where the API tells one. */
function saved(option) {
  if (option.savings_g === undefined) return "";
  const percent = option.savings_percent === undefined ? "" : ` (${number(option.savings_percent)} %)`;
  return `saves ${mass(option.savings_g)}${percent}, p10–p90 ${mass(option.savings_low_g)} to ${mass(option.savings_high_g)},`;
}

function timeline({ earliest, latest, per_location: best, baseline }) {
  const [first, last] = [Date.parse(earliest), Date.parse(latest)];
  const x = (time) => LEFT + (WIDTH - LEFT) * (Date.parse(time) - first) / (last - first);
  const rows = [...(baseline ? [{ ...baseline, name: `${baseline.location}, at once` }] : []), ...best.map((option) => ({ ...option, name: option.location }))];
  const height = TOP + rows.length * ROW + 4;
  const step = last - first > 3 * DAY ? DAY : 6 * HOUR;
  const marks = [];
  for (let at = Math.ceil(first / step) * step; at < last; at += step) marks.push(new Date(at).toISOString());
  const axis = marks.map((mark) => s("g", { class: "axis" }, s("line", { class: "day", x1: x(mark), x2: x(mark), y1: TOP - 4, y2: height }),
    x(mark) > WIDTH - 70 ? null : s("text", { x: x(mark) + 3, y: 12 }, Date.parse(mark) % DAY ? clock(mark) : day(mark))));
  const bars = rows.map((row, index) => s("g", {},
    s("text", { x: 0, y: TOP + index * ROW + 20, class: "name" }, row.name.length > 19 ? `${row.name.slice(0, 18)}…` : row.name),
    row.chunks.map((chunk) => s("rect", { class: "run", x: x(chunk.start), width: Math.max(x(chunk.end) - x(chunk.start), 2), y: TOP + index * ROW + 3, height: ROW - 10, rx: 3, fill: paint(row.intensity_g_per_kwh, row.quality) },
      s("title", {}, `${row.name}: ${instant(chunk.start)} to ${instant(chunk.end)} UTC, ${mass(row.emissions_g)}, ${row.quality}`)))));
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Time line" },
    s("svg", { class: "timeline", viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": `Time line of ${rows.length} runs from ${instant(earliest)} to ${instant(latest)} UTC; the table below tells the same.` }, axis, bars));
}

function options({ options: best, per_location: places, baseline }) {
  const cells = (name, option) => [name, `${instant(option.start)} → ${instant(option.end)}`, mass(option.emissions_g), massBand(option.emissions_low_g, option.emissions_high_g),
    option.savings_percent === undefined ? "–" : `${number(option.savings_percent)} %`, qualityMark(option.quality)];
  return table("Best options, the best of each place, and starting at once", ["Where", "When, UTC", "Emits", "p10–p90", "Saves", "Quality"], [
    ...best.map((option, index) => cells(`${index + 1}. ${option.location}`, option)),
    ...places.map((option) => cells(`best in ${option.location}`, option)),
    ...(baseline ? [cells(`at once in ${baseline.location}`, baseline)] : []),
  ]);
}

/** For Slurm: the machine that runs the command turns UTC into its own local time, which is what sbatch reads. */
function handing(best) {
  const begin = `sbatch --begin="$(date -d '${best.start}' +%Y-%m-%dT%H:%M:%S)" job.sh`;
  const pauses = best.chunks.length > 1 ? h("p", { class: "quiet" }, "The job has pauses; sbatch is told its first start alone.") : null;
  return [copyable(begin, "sbatch"), pauses];
}

/** Commas part locations, but not inside geo:LAT,LON. */
export function splitLocations(text) {
  return text.replaceAll(/(geo:[^,]*),/gi, "$1\u0000").split(",").map((part) => part.replace("\u0000", ",").trim()).filter(Boolean);
}

function local(time) {
  const at = new Date(time);
  return new Date(time - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
