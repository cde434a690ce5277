// The page: which view is shown, for which signal, with which key.

import { currentKey, Problem, useKey } from "./api.js";
import { h, show } from "./dom.js";
import { problemBox } from "./parts.js";
import { hatches } from "./scale.js";

const VIEWS = {
  "": () => import("./now.js"),
  zone: () => import("./zone.js"),
  plan: () => import("./plan.js"),
  convert: () => import("./convert.js"),
  footprint: () => import("./footprint.js"),
  runs: () => import("./runs.js"),
  backfills: () => import("./backfills.js"),
};
const UNAUTHORIZED = 401;

const main = document.getElementById("main");
const signal = document.getElementById("signal");
const dialog = document.getElementById("key-dialog");
let leaving = new AbortController();

/** Show the view that the address names; one that is no longer wanted stops asking. */
async function open({ focus = true } = {}) {
  const [name = "", ...rest] = location.hash.replace(/^#\/?/, "").split("/");
  const load = VIEWS[name] ?? VIEWS[""];
  leaving.abort();
  const stay = leaving = new AbortController();
  const isNamed = name in VIEWS ? name : "";
  for (const link of document.querySelectorAll("nav a")) {
    const isHere = (link.hash.replace(/^#\/?/, "").split("/")[0] || "") === isNamed;
    if (isHere) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const context = { signal: signal.value, stay: stay.signal, rest: rest.map(decodeURIComponent) };
  const place = h("div", { class: `view ${isNamed || "now"}` });
  try {
    const view = await load();
    if (stay.signal.aborted) return;
    show(main, place);
    if (focus) main.focus({ preventScroll: true });
    await view.render(place, context);
    performance.mark("drawn");
  } catch (error) {
    if (error.name === "AbortError" || stay.signal.aborted) return;
    show(main, place);
    place.append(problemBox(error));
    wantKey(error);
  }
}

/** Ask for a key where the service wants one. */
function wantKey(error) {
  if (error instanceof Problem && error.status === UNAUTHORIZED && !dialog.open) dialog.showModal();
}

document.body.prepend(hatches());
document.addEventListener("problem", (event) => wantKey(event.detail));
signal.value = new URLSearchParams(location.search).get("signal") ?? "lifecycle";
if (!signal.value) signal.value = "lifecycle";
signal.addEventListener("change", () => open({ focus: false }));
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
document.getElementById("key").addEventListener("click", () => {
  document.getElementById("key-text").value = currentKey();
  dialog.showModal();
});
dialog.addEventListener("close", () => {
  if (!dialog.returnValue) return;
  useKey(dialog.returnValue === "use" ? document.getElementById("key-text").value.trim() : "");
  open();
});
addEventListener("hashchange", () => open());
open({ focus: false });
