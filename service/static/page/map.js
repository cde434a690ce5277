// The map of all zones: outlines that carry the colour of the present, dots where no outline is known.

import { h, s, show } from "./dom.js";
import { band, number } from "./format.js";
import { OUTLINES } from "./outlines.js";
import { paint, patterns } from "./scale.js";

const { east: EAST, north: NORTH, scale: SCALE } = OUTLINES.projection;
const [A1, A2, A3, A4] = [1.340264, -0.081106, 0.000893, 0.003796];
const WORLD = [0, 0, OUTLINES.width, OUTLINES.height];
const PARTS = {
  World: null,
  Europe: [-12, 71, 40, 34],
  "North America": [-135, 62, -60, 15],
  "South America": [-85, 14, -33, -56],
  Africa: [-20, 38, 53, -36],
  Asia: [55, 58, 150, -8],
  Oceania: [110, -5, 179, -48],
};
const [DOT_PIXELS, DOT_PART] = [1.4, 1 / 700];
/** A dot is a little larger on a wider map. */
const NARROWEST = 200;

/** Longitude and latitude [degrees] in units of the map: Equal Earth (Savric, Patterson, Jenny 2018). */
export function onMap(longitude, latitude) {
  const theta = Math.asin(Math.sqrt(3) / 2 * Math.sin(latitude * Math.PI / 180));
  const slope = A1 + 3 * A2 * theta ** 2 + theta ** 6 * (7 * A3 + 9 * A4 * theta ** 2);
  const x = 2 * Math.sqrt(3) * (longitude * Math.PI / 180) * Math.cos(theta) / (3 * slope);
  const y = theta * (A1 + A2 * theta ** 2 + theta ** 6 * (A3 + A4 * theta ** 2));
  return [(x + EAST) * SCALE, (NORTH - y) * SCALE];
}

/** The map. `rows` hold zone, name, latitude, longitude and, where it is known, the present; `openZone` is told what was chosen. */
export function worldMap(rows, openZone) {
  const hatched = patterns("map-hatch");
  const tip = h("div", { class: "tip", hidden: true });
  const shapes = rows.filter((row) => OUTLINES.zones[row.zone]).map((row) => s("path", { d: OUTLINES.zones[row.zone], ...inked(row) }));
  const dots = rows.filter((row) => !OUTLINES.zones[row.zone]).map((row) => {
    const [x, y] = onMap(row.longitude, row.latitude);
    return s("circle", { cx: x.toFixed(1), cy: y.toFixed(1), ...inked(row) });
  });
  const svg = s("svg", { role: "img", "aria-label": "Map of all zones by the intensity of the newest hour; the list below tells the same." },
    s("defs", {}, hatched), s("path", { d: OUTLINES.land, class: "land" }), shapes, dots);
  const byZone = new Map(rows.map((row) => [row.zone, row]));
  const frame = h("div", { class: "map" }, svg, tip);
  let box = WORLD;

  function look(next) {
    box = next;
    svg.setAttribute("viewBox", box.map((side) => side.toFixed(1)).join(" "));
    const unit = Math.max(box[2] / (svg.clientWidth || 1000), box[3] / (svg.clientHeight || 487));
    for (const pattern of hatched) pattern.setAttribute("patternTransform", `rotate(45) scale(${unit.toFixed(3)})`);
    for (const dot of dots) dot.setAttribute("r", ((DOT_PIXELS + svg.clientWidth * DOT_PART) * unit).toFixed(2));
  }

  function zoom(factor, x = box[0] + box[2] / 2, y = box[1] + box[3] / 2) {
    const width = Math.min(Math.max(box[2] * factor, NARROWEST), WORLD[2]);
    const by = width / box[2];
    look(kept([x - (x - box[0]) * by, y - (y - box[1]) * by, width, box[3] * by]));
  }

  svg.addEventListener("pointermove", (event) => point(event, byZone.get(event.target.dataset?.zone)));
  svg.addEventListener("pointerleave", () => { tip.hidden = true; });
  function point(event, row) {
    tip.hidden = !row;
    if (!row) return;
    show(tip, h("strong", {}, row.name), ` ${row.zone}`, h("br"), told(row));
    const { left, top, width } = frame.getBoundingClientRect();
    tip.style.left = `${Math.min(event.clientX - left + 14, width - 190)}px`;
    tip.style.top = `${event.clientY - top + 16}px`;
  }
  drag(svg, () => box, (next) => look(kept(next)), (target) => target.dataset?.zone && openZone(target.dataset.zone));
  new ResizeObserver(() => look(box)).observe(svg);
  const part = h("select", { "aria-label": "Part of the world", onchange: () => look(PARTS[part.value] ? boxOf(PARTS[part.value]) : WORLD) },
    Object.keys(PARTS).map((name) => h("option", {}, name)));
  look(WORLD);
  return h("div", { class: "map-box" }, h("div", { class: "map-tools" }, part,
    h("button", { type: "button", class: "quiet", "aria-label": "Zoom in", onclick: () => zoom(0.6) }, "+"),
    h("button", { type: "button", class: "quiet", "aria-label": "Zoom out", onclick: () => zoom(1 / 0.6) }, "−")), frame);
}

function inked(row) {
  const fill = row.now ? paint(row.now.g_per_kwh, row.now.quality, "map-hatch") : null;
  return { "data-zone": row.zone, class: row.now ? "zone" : "zone unknown", fill };
}

function told({ now }) {
  if (!now) return "no hour is known for this signal";
  return `${number(now.g_per_kwh)} g/kWh (${band(now.low, now.high)}), ${now.quality}`;
}

/** The box of four bounds: west, north, east, south [degrees]. */
function boxOf([west, north, east, south]) {
  const middle = (north + south) / 2;
  const [left] = onMap(west, middle);
  const [right] = onMap(east, middle);
  const top = onMap(0, north)[1];
  return [left, top, right - left, onMap(0, south)[1] - top];
}

function kept([x, y, width, height]) {
  const within = (start, size, whole) => Math.min(Math.max(start, Math.min(0, whole - size)), Math.max(0, whole - size));
  return [within(x, width, WORLD[2]), within(y, height, WORLD[3]), width, height];
}

/** Moving the map moves the box; a press that did not move is a choice. */
function drag(svg, box, move, choose) {
  let from = null;
  svg.addEventListener("pointerdown", (event) => { from = { x: event.clientX, y: event.clientY, box: box(), moved: false, target: event.target }; });
  svg.addEventListener("pointermove", (event) => {
    if (!from || !event.buttons) return;
    const unit = Math.max(from.box[2] / svg.clientWidth, from.box[3] / svg.clientHeight);
    const [right, down] = [event.clientX - from.x, event.clientY - from.y];
    if (Math.abs(right) + Math.abs(down) > 5) from.moved = true;
    if (from.moved) move([from.box[0] - right * unit, from.box[1] - down * unit, from.box[2], from.box[3]]);
  });
  svg.addEventListener("pointerup", () => {
    if (from && !from.moved) choose(from.target);
    from = null;
  });
}
