// Hours as a sheet: a row a day, a column an hour, in UTC; so that the habits of a grid are seen.

import { h, s } from "./dom.js";
import { day, number } from "./format.js";
import { paint, stepOf } from "./scale.js";

const [WIDTH, LEFT, TOP, ROW] = [760, 92, 18, 22];
const CELL = (WIDTH - LEFT) / 24;
const LIGHT_STEPS = 4;
const DAY = 86_400_000;
const HOUR = 3_600_000;

/** The sheet of points {start, value, quality, text}. */
export function heatmap(points, label) {
  const dayOf = (start) => Math.floor(Date.parse(start) / DAY);
  const days = [...new Set(points.map((point) => dayOf(point.start)))];
  const heads = [0, 3, 6, 9, 12, 15, 18, 21].map((hour) => s("text", { x: LEFT + hour * CELL, y: 12 }, `${String(hour).padStart(2, "0")}:00`));
  const names = days.map((number, row) => s("text", { x: 0, y: TOP + row * ROW + 15 }, day(number * DAY)));
  const cells = points.map((point) => {
    const [x, y] = [LEFT + (Date.parse(point.start) % DAY) / HOUR * CELL, TOP + days.indexOf(dayOf(point.start)) * ROW];
    return s("g", {}, s("rect", { x, y, width: CELL - 1, height: ROW - 1, fill: paint(point.value, point.quality) }),
      s("text", { class: stepOf(point.value) < LIGHT_STEPS ? "on-light" : "on-dark", x: x + CELL / 2, y: y + 15, "text-anchor": "middle" }, number(Math.round(point.value))),
      s("title", {}, point.text));
  });
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label },
    s("svg", { class: "heatmap", viewBox: `0 0 ${WIDTH} ${TOP + days.length * ROW}`, role: "img", "aria-label": `${label}; the numbers stand in the table below.` }, heads, names, cells));
}
