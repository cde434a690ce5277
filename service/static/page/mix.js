// What a zone's electricity was made of: its hours stacked by fuel, as sources told them; nothing is drawn where none did.

import { Problem } from "./api.js";
import { hourChart } from "./chart.js";
import { h } from "./dom.js";
import { instant, number } from "./format.js";
import { later, problemBox, provenanceList, qualityMark, table } from "./parts.js";

/** The fuels from the ground up, what burns nothing first. */
const FUELS = ["nuclear", "hydro", "geothermal", "biomass", "wind", "solar", "unknown", "gas", "oil", "coal"];
const NO_DATA = 404;

/** The section about the mix of a span; `answer` is what `/v1/mix` said, its problem, or null where no source is known that tells one. */
export function mixSection(answer, name) {
  return [h("h2", {}, "What it was made of"), answer === null ? none() : answer instanceof Problem ? untold(answer) : drawn(answer, name)];
}

function none() {
  return h("p", { class: "quiet untold" }, "No source that is known here tells the generation by fuel of this zone, and no typical one stands in.");
}

/** Where no source told a mix, that is said in the words of the API; other problems are problems. */
function untold(problem) {
  return problem.status === NO_DATA ? h("p", { class: "quiet untold" }, problem.told.detail) : problemBox(problem);
}

function drawn({ hours, missing, provenance, scope }, name) {
  const isPower = hours.every((hour) => hour.generation_mw);
  const unit = isPower ? "MW" : "%";
  const partsOf = (hour) => (isPower ? hour.generation_mw : hour.share_percent);
  const fuels = FUELS.filter((fuel) => hours.some((hour) => fuel in partsOf(hour)));
  const points = hours.map((hour) => ({ ...hour, parts: partsOf(hour), value: isPower ? hour.total_mw : 100, text: sentence(hour, fuels, partsOf(hour), unit) }));
  return [
    h("p", {}, "Generation inside the zone, by fuel. Imports, exports and batteries are left out, and so is a fuel that the source does not report."),
    hourChart({ points, unit, label: `Generation of ${name} by fuel, hour by hour`, layers: fuels }),
    missing.length ? h("p", { class: "note" }, "No source told: ", missing.map((span) => `${instant(span.start)} to ${instant(span.end)}`).join("; "), ".") : null,
    later("The mix as a table", () => table(`Generation by fuel and hour, in ${unit}`, ["Hour, UTC", ...fuels, "low-carbon %", "renewable %", "Quality", "Source"], hours.map((hour) => [
      instant(hour.start), ...fuels.map((fuel) => (fuel in partsOf(hour) ? number(partsOf(hour)[fuel]) : "not reported")),
      number(hour.low_carbon_percent), number(hour.renewable_percent), qualityMark(hour.quality), hour.provider]))),
    provenanceList(provenance.map((entry) => ({ ...entry, signal: "generation by fuel", scope }))),
  ];
}

function sentence(hour, fuels, parts, unit) {
  const told = fuels.filter((fuel) => fuel in parts).map((fuel) => `${fuel} ${number(parts[fuel])}`).join(", ");
  return `${instant(hour.start)} UTC, ${unit}: ${told}; ${number(hour.low_carbon_percent)} % low-carbon; ${hour.quality}, ${hour.provider}`;
}
