// A chart of hours over time, read by pointer, finger or arrow keys: a stepped line with its band, bars, or layers on each other.

import { h, s, show } from "./dom.js";
import { clock, day, number } from "./format.js";
import { kindOf } from "./scale.js";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const HEIGHT = 270;
const MARGIN = { left: 52, right: 10, top: 24, bottom: 28 };
const TICKS = 4;
const DAY_PIXELS = 78;

/**
 * A chart of points {start, value, low, high, quality, text}, one an hour, in order; hours without a point are gaps.
 * `bars` draws bars in place of a line; `layers` names the parts of each point, bottom first, that are stacked: {parts: {name: value}}; `present` marks an instant; `unit` names what is measured.
 */
export function hourChart({ points, unit, label, bars = false, layers = null, present = null }) {
  const hours = points.map((point) => ({ ...point, at: Date.parse(point.start), kind: kindOf(point.quality) }));
  const reading = h("output", { class: "reading" }, "Point at the chart, or use the arrow keys on it, to read an hour.");
  const frame = h("div", { class: "plot", role: "slider", tabindex: 0, "aria-label": label, "aria-valuemin": 0, "aria-valuemax": hours.length - 1, "aria-valuenow": 0, "aria-valuetext": hours[0].text });
  let drawn = null;
  let chosen = 0;

  function choose(index) {
    chosen = Math.min(Math.max(index, 0), hours.length - 1);
    const point = hours[chosen];
    frame.setAttribute("aria-valuenow", chosen);
    frame.setAttribute("aria-valuetext", point.text);
    show(reading, point.text);
    drawn.cursor.setAttribute("x", drawn.x(point.at));
    drawn.cursor.setAttribute("width", Math.max(drawn.x(point.at + HOUR) - drawn.x(point.at), 1));
    drawn.cursor.classList.add("seen");
  }

  frame.addEventListener("pointermove", (event) => {
    const at = drawn.timeAt(event.clientX - frame.getBoundingClientRect().left);
    const next = hours.findIndex((point) => point.at + HOUR > at);
    choose(next < 0 ? hours.length - 1 : next);
  });
  frame.addEventListener("keydown", (event) => {
    const to = { ArrowLeft: chosen - 1, ArrowRight: chosen + 1, ArrowDown: chosen - 1, ArrowUp: chosen + 1, PageDown: chosen - 24, PageUp: chosen + 24, Home: 0, End: hours.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    choose(to);
  });
  new ResizeObserver(([entry]) => {
    drawn = draw(hours, entry.contentRect.width, { unit, bars, layers, present });
    show(frame, drawn.svg);
  }).observe(frame);
  return h("figure", { class: "chart" }, frame, reading, layers ? keyOfLayers(layers) : keyOf(hours, bars));
}

function draw(hours, width, { unit, bars, layers, present }) {
  const first = hours[0].at;
  const last = hours.at(-1).at + HOUR;
  const top = niceEnd(Math.max(...hours.map((point) => point.high ?? point.value)));
  const inner = width - MARGIN.left - MARGIN.right;
  const x = (at) => MARGIN.left + inner * (at - first) / (last - first);
  const y = (value) => HEIGHT - MARGIN.bottom - (HEIGHT - MARGIN.top - MARGIN.bottom) * value / top;
  const cursor = s("rect", { class: "cursor", y: MARGIN.top, height: HEIGHT - MARGIN.top - MARGIN.bottom, width: 0, x: 0 });
  const drawing = layers ? stack(hours, layers, x, y) : bars ? hours.map((point) => bar(point, x, y)) : runs(hours).flatMap((run) => [band(run, x, y), line(run, x, y)]);
  const svg = s("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, "aria-hidden": "true" },
    yAxis(top, y, width, unit), xAxis(first, last, x, inner), layers ? [drawing, cursor] : [cursor, drawing], present === null ? null : presentLine(present, x));
  return { svg, cursor, x, timeAt: (pixel) => first + (last - first) * (pixel - MARGIN.left) / inner };
}

/** Hours that follow each other without a gap and were known alike. */
function runs(hours) {
  const found = [];
  for (const point of hours) {
    const run = found.at(-1);
    if (run && run.at(-1).kind === point.kind && run.at(-1).at + HOUR === point.at) run.push(point);
    else found.push([point]);
  }
  return found;
}

function steps(run, x, y, name) {
  return run.map((point) => `${x(point.at).toFixed(1)} ${y(point[name]).toFixed(1)}H${x(point.at + HOUR).toFixed(1)}`);
}

function line(run, x, y) {
  return s("path", { class: `line ${run[0].kind}`, d: `M${steps(run, x, y, "value").join("L")}` });
}

function band(run, x, y) {
  const under = run.toReversed().map((point) => `${x(point.at + HOUR).toFixed(1)} ${y(point.low).toFixed(1)}H${x(point.at).toFixed(1)}`);
  return s("path", { class: `band ${run[0].kind}`, d: `M${steps(run, x, y, "high").join("L")}L${under.join("L")}z` });
}

/** The layers of each run of hours, the first on the ground, each on the one below. */
function stack(hours, layers, x, y) {
  return runs(hours).flatMap((run) => {
    let floor = run.map((point) => ({ at: point.at, high: 0 }));
    return layers.map((name) => {
      const layer = run.map((point, index) => ({ at: point.at, low: floor[index].high, high: floor[index].high + (point.parts[name] ?? 0), kind: `fuel ${name}` }));
      floor = layer;
      return band(layer, x, y);
    });
  });
}

function bar(point, x, y) {
  const width = x(point.at + HOUR) - x(point.at);
  const gap = width > 4 ? 1 : 0;
  return s("rect", { class: `bar ${point.kind}`, x: x(point.at).toFixed(2), width: Math.max(width - gap, 0.5).toFixed(2), y: y(point.value).toFixed(1), height: (y(0) - y(point.value)).toFixed(1) });
}

function yAxis(top, y, width, unit) {
  const marks = Array.from({ length: TICKS + 1 }, (_, index) => top * index / TICKS);
  return s("g", { class: "axis" }, marks.map((mark) => [
    s("line", { x1: MARGIN.left, x2: width - MARGIN.right, y1: y(mark), y2: y(mark) }),
    s("text", { x: MARGIN.left - 6, y: y(mark) + 4, "text-anchor": "end" }, number(mark)),
  ]), s("text", { x: 2, y: 11 }, unit));
}

function xAxis(first, last, x, inner) {
  const every = Math.max(1, Math.ceil(((last - first) / DAY) * DAY_PIXELS / inner)) * DAY;
  const isShort = last - first <= 2 * DAY;
  const step = isShort ? 6 * HOUR : every;
  const marks = [];
  for (let at = Math.ceil(first / step) * step; at < last; at += step) marks.push(at);
  return s("g", { class: "axis" }, marks.map((at) => [
    s("line", { class: "day", x1: x(at), x2: x(at), y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom }),
    x(at) > MARGIN.left + inner - 74 ? null : s("text", { x: x(at) + 3, y: HEIGHT - 9 }, at % DAY === 0 ? day(at) : clock(at)),
  ]));
}

function presentLine(present, x) {
  return s("g", { class: "present" }, s("line", { x1: x(present), x2: x(present), y1: 14, y2: HEIGHT - MARGIN.bottom }), s("text", { x: x(present), y: 12, "text-anchor": "middle" }, "now"));
}

/** A round number that is not below. */
function niceEnd(value) {
  const size = 10 ** Math.floor(Math.log10(value || 1));
  return (([1, 1.2, 1.6, 2, 2.4, 3.2, 4, 5, 6, 8, 10].find((step) => step * size >= value)) ?? 10) * size;
}

const KINDS = { given: "given with the request", told: "told by a source", ahead: "forecast", supposed: "typical or annual: told by nobody for this hour" };

function keyOf(hours, bars) {
  const held = Object.keys(KINDS).filter((kind) => hours.some((point) => point.kind === kind));
  return h("ul", { class: "legend" }, held.map((kind) => h("li", {}, h("span", { class: `mark ${kind}${bars ? " bar" : ""}`, "aria-hidden": "true" }), KINDS[kind])),
    bars ? null : h("li", { class: "apart" }, "band: p10–p90"));
}

/** The layers from the top down, as they lie in the drawing. */
function keyOfLayers(layers) {
  return h("ul", { class: "legend", "aria-label": "Layers from the top down" }, layers.toReversed().map((name) =>
    h("li", {}, h("span", { class: `mark fuel ${name}`, "aria-hidden": "true" }), name)));
}
