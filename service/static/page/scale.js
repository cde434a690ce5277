// The scale of intensity: eight steps that darken from clean to dirty, so that lightness alone tells their order, in every colour vision.

import { h, s } from "./dom.js";
import { number } from "./format.js";

/** The upper ends of all steps but the last [gCO2e/kWh]. */
export const ENDS = [50, 100, 200, 300, 400, 550, 750];

/** The colour of each step; the style sheet names the same ones --step-0 to --step-7. */
export const COLOURS = ["#d6f2da", "#a5dcae", "#adc354", "#d0a02c", "#c27420", "#a5521b", "#763018", "#471812"];

const LIGHT_STEPS = 4;
const SUPPOSED = new Set(["typical", "annual"]);

/** The number of the step that an intensity falls in. */
export function stepOf(gPerKwh) {
  const step = ENDS.findIndex((end) => gPerKwh < end);
  return step < 0 ? ENDS.length : step;
}

/** Whether an hour was never told by anyone: it is hatched wherever it is drawn. */
export function isSupposed(quality) {
  return SUPPOSED.has(quality);
}

/** How an hour is drawn: given with the request, told by a source, forecast, or supposed. */
export function kindOf(quality) {
  if (isSupposed(quality)) return "supposed";
  return { forecast: "ahead", given: "given" }[quality] ?? "told";
}

/** The paint of an hour: a plain colour, or the same one hatched. */
export function paint(gPerKwh, quality, patternName = "hatch") {
  const step = stepOf(gPerKwh);
  return isSupposed(quality) ? `url(#${patternName}-${step})` : COLOURS[step];
}

/** The hatched paints for drawings whose unit is a pixel; they must be in the document before they are used. */
export function hatches() {
  return s("svg", { class: "defs", "aria-hidden": "true", width: 0, height: 0 }, s("defs", {}, patterns("hatch"), s("pattern", hatch("hatch-band"),
    s("rect", { width: 6, height: 6, class: "band-ground" }), s("rect", { width: 1.6, height: 6, class: "band-line" }))));
}

/** The hatched paints under names of one's own, for a drawing with another unit: set `patternTransform` as its scale changes. */
export function patterns(name) {
  return COLOURS.map((colour, step) => s("pattern", hatch(`${name}-${step}`),
    s("rect", { width: 6, height: 6, fill: colour }),
    s("rect", { width: 1.6, height: 6, fill: step < LIGHT_STEPS ? "#00000077" : "#ffffff70" })));
}

function hatch(id) {
  return { id, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" };
}

/** A small square in the paint of an hour. */
export function swatch(gPerKwh, quality) {
  return h("span", { class: `swatch step-${stepOf(gPerKwh)}${isSupposed(quality) ? " hatched" : ""}`, "aria-hidden": "true" });
}

/** The legend of the scale, and of what hatching means. */
export function legend() {
  const steps = COLOURS.map((_, step) =>
    h("li", {}, h("span", { class: `swatch step-${step}`, "aria-hidden": "true" }), stepText(step)));
  const hatched = h("li", { class: "apart" }, h("span", { class: "swatch step-1 hatched", "aria-hidden": "true" }), "typical or annual: told by nobody for this hour");
  return h("ul", { class: "legend", "aria-label": "Scale in grams of CO2e per kWh" }, h("li", {}, "g/kWh"), steps, hatched);
}

function stepText(step) {
  if (step === 0) return `under ${number(ENDS[0])}`;
  return step === ENDS.length ? `${number(ENDS[step - 1])} and more` : `${number(ENDS[step - 1])}–${number(ENDS[step])}`;
}
