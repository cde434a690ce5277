// What several views share: problems, qualities, provenance, commands to repeat, copying and saving.

import { curl, pathOf, Problem, send } from "./api.js";
import { h, show } from "./dom.js";
import { instant, share } from "./format.js";
import { kindOf } from "./scale.js";

/** A problem as the API words it. */
export function problemBox(error) {
  if (!(error instanceof Problem)) throw error;
  const { title, detail, hint, errors = [], suggestions = [] } = error.told;
  const entries = errors.length > 1 || (errors.length && !detail?.includes(errors[0].detail)) ? errors : [];
  return h("div", { class: "problem", role: "alert" },
    h("p", {}, h("strong", {}, title ?? "The service failed"), error.status ? ` (${error.status})` : ""),
    h("p", {}, detail ?? error.message),
    entries.length ? h("ul", {}, entries.map((entry) => h("li", {}, h("code", {}, entry.pointer), " ", entry.detail))) : null,
    hint && h("p", { class: "quiet" }, hint),
    suggestions.length ? h("p", {}, "Suggested: ", suggestions.map((zone) => [h("a", { href: `#/zone/${encodeURIComponent(zone)}` }, zone), " "])) : null);
}

/** How an hour came to be known, with the mark that it has wherever it is drawn. */
export function qualityMark(quality) {
  return h("span", { class: `quality ${kindOf(quality)}` }, quality);
}

/** A bar of the shares of each quality; typical and annual ones are hatched. */
export function coverageBar(coverage, label) {
  const shares = Object.entries(coverage);
  const bar = h("div", { class: "coverage-bar", role: "img", "aria-label": `${label}: ${shares.map(([quality, part]) => `${share(part)} ${quality}`).join(", ")}` },
    shares.map(([quality, part]) => {
      const piece = h("span", { class: `piece ${kindOf(quality)}` });
      piece.style.flexGrow = String(part);
      return piece;
    }));
  return h("div", { class: "coverage" }, bar,
    h("ul", { class: "shares" }, shares.map(([quality, part]) => h("li", {}, qualityMark(quality), " ", share(part)))));
}

/** Where numbers come from and under which terms. */
export function provenanceList(entries) {
  return h("ul", { class: "provenance" }, entries.map((entry) =>
    h("li", {},
      h("p", {}, h("strong", {}, entry.provider), " ", qualityMark(entry.quality), ` ${entry.signal}, ${entry.scope}`,
        entry.zone ? ` · ${entry.zone}` : "",
        entry.hours ? ` · ${entry.hours} h` : "", entry.energy_share === undefined ? "" : ` · ${share(entry.energy_share)} of the energy`,
        entry.fetched_at ? ` · fetched ${instant(entry.fetched_at)} UTC` : ""),
      h("p", { class: "quiet" }, `${entry.attribution}. Licence: ${entry.licence}.`),
      entry.detail && h("p", { class: "quiet" }, entry.detail))));
}

/** The commands that make the calls behind what is shown. */
export function repeatBox(...requests) {
  return h("details", { class: "repeat" },
    h("summary", {}, requests.length > 1 ? "The calls behind these numbers" : "The call behind these numbers"),
    requests.map((request) => copyable(curl(request), "curl", pathOf(request))));
}

/** Text that can be copied by a button; `about` tells it from others of its name. */
export function copyable(text, name, about = "") {
  return h("div", { class: "copyable" }, h("pre", { tabindex: 0, role: "group", "aria-label": `${name} ${about}` }, h("code", {}, text)), copyButton(`Copy ${name}`, () => text));
}

/** A button that copies what a function tells. */
export function copyButton(label, tell) {
  const button = h("button", { type: "button", class: "quiet", onclick: async () => {
    try {
      await navigator.clipboard.writeText(tell());
      button.textContent = "Copied";
    } catch {
      button.textContent = "This browser forbids copying";
    }
    setTimeout(() => { button.textContent = label; }, 1500);
  } }, label);
  return button;
}

/** A button that saves the answer of a call as a file. */
export function saveButton(label, request, name, told) {
  return h("button", { type: "button", class: "quiet", onclick: async () => {
    try {
      const address = URL.createObjectURL(await (await send(request)).blob());
      h("a", { href: address, download: name }).click();
      URL.revokeObjectURL(address);
    } catch (error) {
      show(told, problemBox(error));
    }
  } }, label);
}

/** A table of rows of cells; the first cell of a row names it. */
export function table(caption, heads, rows) {
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption }, h("table", {},
    h("caption", {}, caption),
    h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))),
    h("tbody", {}, rows.map(([first, ...cells]) => h("tr", {}, h("th", { scope: "row" }, first), cells.map((cell) => h("td", {}, cell)))))));
}

/** Details that are drawn when they are first opened: a year of hours is a long table. */
export function later(summary, draw) {
  const details = h("details", { ontoggle: () => {
    if (details.open && details.childElementCount === 1) details.append(draw());
  } }, h("summary", {}, summary));
  return details;
}

/** A form field under its label. */
export function field(label, input, hint) {
  return h("label", { class: "field" }, h("span", {}, label), input, hint && h("small", {}, hint));
}
