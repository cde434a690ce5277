// Now: the newest hour of every zone, as a map and as a list.

import { ask, Problem } from "./api.js";
import { h, show } from "./dom.js";
import { age, instant, number } from "./format.js";
import { worldMap } from "./map.js";
import { problemBox, provenanceList, qualityMark, repeatBox } from "./parts.js";
import { isSupposed, legend, swatch } from "./scale.js";

const COUNTRIES = new Intl.DisplayNames([navigator.language, "en"], { type: "region" });
const QUALITIES = ["measured", "preliminary", "estimated", "forecast", "typical", "annual"];
const COLUMNS = [
  ["Zone", (row) => row.name],
  ["g/kWh", (row) => row.now?.g_per_kwh],
  ["p10–p90", (row) => row.now && row.now.high - row.now.low],
  ["Quality", (row) => row.now && QUALITIES.indexOf(row.now.quality)],
  ["Age", (row) => row.now && (isSupposed(row.now.quality) ? Infinity : row.now.age_seconds)],
  ["Source", (row) => row.now?.provider],
];

/** Show all zones. */
export async function render(place, { signal, stay }) {
  const calls = [{ path: "/v1/intensity/now", query: { signal } }, { path: "/v1/zones" }];
  const [present, { zones }] = await Promise.all(calls.map((call) => ask(call, stay)));
  const known = new Map(present.zones.map((now) => [now.zone, now]));
  const rows = zones.map((zone) => ({ ...zone, now: known.get(zone.zone), words: words(zone) }));
  const told = present.zones.filter((now) => !isSupposed(now.quality) && now.quality !== "forecast").length;
  const list = zoneList(rows);
  show(place,
    h("h1", {}, "Carbon intensity now"),
    h("p", { class: "lead" }, `The newest hour of each zone that this service holds, ${signal} signal, as of ${instant(present.as_of)} UTC. `,
      told ? `${told} of ${zones.length} zones are told by a source.` : "No zone is told by a source yet: all hours below are typical or annual.",
      " Opening a zone asks its sources."),
    search(list),
    worldMap(rows, (zone) => { location.hash = `#/zone/${zone}`; }),
    legend(),
    list.element,
    h("h2", {}, "Where these hours come from"), provenance(present.provenance),
    repeatBox(...calls));
}

function words(zone) {
  return [zone.zone, zone.name, country(zone.country), zone.parent ?? ""].join(" ").toLowerCase();
}

function country(code) {
  try {
    return COUNTRIES.of(code);
  } catch {
    return code;
  }
}

/** A field that narrows the list as one types, and on Enter asks the service what place is meant. */
function search(list) {
  const told = h("div", { "aria-live": "polite" });
  const input = h("input", { type: "search", id: "search", placeholder: "France, US-CAL-CISO, aws:eu-west-3, geo:48.85,2.35", autocomplete: "off", spellcheck: "false",
    oninput: () => { show(told); list.narrow(input.value); } });
  const find = async (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (!text) return;
    const open = (place) => { location.hash = `#/zone/${encodeURIComponent(place)}`; };
    try {
      await ask({ path: "/v1/locate", query: { location: text } });
      open(text);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      const only = list.narrow(text); // a name, or a part of one, is no location of the API, but it may leave one row
      if (only.length === 1) open(only[0].zone);
      else show(told, problemBox(error));
    }
  };
  return h("form", { class: "search", role: "search", onsubmit: find },
    h("label", { for: "search" }, "Find a zone, country, cloud region or point"), h("div", { class: "row" }, input, h("button", {}, "Open")), told);
}

/** The list: sorted by a column, narrowed by words. */
function zoneList(rows) {
  let [column, direction, text] = [1, 1, ""];
  const body = h("tbody");
  const count = h("caption", { "aria-live": "polite" });
  const elements = new Map(rows.map((row) => [row, tableRow(row)]));
  const heads = COLUMNS.map(([name], index) => h("th", { scope: "col" }, h("button", { type: "button", onclick: () => {
    [column, direction] = [index, index === column ? -direction : 1];
    fill();
  } }, name)));

  function fill() {
    const chosen = rows.filter((row) => row.words.includes(text)).sort((one, other) => direction * compare(COLUMNS[column][1](one), COLUMNS[column][1](other), direction));
    heads.forEach((head, index) => {
      if (index === column) head.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    });
    show(count, `${chosen.length} of ${rows.length} zones`);
    show(body, chosen.map((row) => elements.get(row)));
    return chosen;
  }
  fill();
  const element = h("div", { class: "scroll list", tabindex: 0, role: "region", "aria-label": "All zones" },
    h("table", {}, count, h("thead", {}, h("tr", {}, heads)), body));
  return { element, narrow: (words) => { text = words.trim().toLowerCase(); return fill(); } };
}

/** Unknown ones come last, whichever way the list is sorted. */
function compare(one, other, direction) {
  if (one === undefined || other === undefined) return ((one === undefined) - (other === undefined)) * direction;
  return typeof one === "string" ? one.localeCompare(other) : one - other;
}

function tableRow({ zone, name, now }) {
  const head = h("th", { scope: "row" }, h("a", { href: `#/zone/${encodeURIComponent(zone)}` }, name), h("small", {}, zone));
  if (!now) return h("tr", {}, head, h("td", { colspan: 5, class: "quiet" }, "no hour is known for this signal"));
  return h("tr", {}, head,
    h("td", { class: "number" }, swatch(now.g_per_kwh, now.quality), number(now.g_per_kwh)),
    h("td", { class: "number quiet" }, now.low === now.high ? "–" : `${number(now.low)}–${number(now.high)}`),
    h("td", {}, qualityMark(now.quality)),
    h("td", { class: "quiet" }, isSupposed(now.quality) ? "–" : age(now.age_seconds), now.stale && h("span", { class: "stale" }, " stale")),
    h("td", { class: "quiet" }, now.provider));
}

function provenance(entries) {
  return h("details", {}, h("summary", {}, `${entries.length} kinds of sources, with their licences`),
    provenanceList(entries.map(({ zones, ...entry }) => ({ ...entry, zone: `${zones} ${zones === 1 ? "zone" : "zones"}` }))));
}
