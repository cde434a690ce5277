// Backfills: a file of past jobs is sent, followed while it is converted, and fetched with what each job emitted.

import { ask, Problem } from "./api.js";
import { h, show } from "./dom.js";
import { counted, instant, mass, massBand, massBandTold, number } from "./format.js";
import { coverageBar, field, problemBox, repeatBox, saveButton, table } from "./parts.js";

const SENT = "gridgram-backfills";
const LOOK_MILLISECONDS = 500;

/** Show the form and what this tab has sent, or one backfill. */
export async function render(place, { rest, signal, stay }) {
  if (rest[0]) await follow(place, rest[0], stay);
  else form(place, { signal, stay });
}

function form(place, { signal, stay }) {
  const input = {
    file: h("input", { type: "file", required: true }),
    output: h("select", {}, ["parquet", "csv", "ndjson"].map((name) => h("option", {}, name))),
    location: h("input", { spellcheck: "false", autocomplete: "off" }),
    tz: h("input", { spellcheck: "false", autocomplete: "off", placeholder: "Europe/Paris" }),
  };
  const told = h("div", { "aria-live": "polite" });
  const send = async (event) => {
    event.preventDefault();
    const query = { output: input.output.value, location: input.location.value, tz: input.tz.value, signal };
    show(told, h("p", { class: "quiet" }, "Sending …"));
    try {
      const { id } = await ask({ path: "/v1/backfills", query, file: input.file.files[0] }, stay);
      remember([...sent(), { id, query, name: input.file.files[0].name }]);
      location.hash = `#/backfills/${id}`;
    } catch (error) {
      if (error.name === "AbortError") return;
      show(told, problemBox(error));
      told.dispatchEvent(new CustomEvent("problem", { bubbles: true, detail: error }));
    }
  };
  show(place,
    h("h1", {}, "Past jobs"),
    h("p", { class: "lead" }, "A file of jobs (CSV, TSV, NDJSON, Parquet, or the log of a tracker or scheduler) comes back with what each emitted. It is kept by the service until it expires or is deleted."),
    h("form", { class: "form", onsubmit: send },
      field("File of jobs", input.file), field("Result as", input.output),
      field("Where they ran", input.location, "for rows that do not say"), field("Time zone", input.tz, "for times without an offset"),
      h("button", {}, "Send")),
    told,
    sent().length ? [h("h2", {}, "Sent from this tab"), h("ul", {}, sent().map(({ id, name }) => h("li", {}, h("a", { href: `#/backfills/${id}` }, name))))] : null);
}

/** Look at a backfill until it has ended. */
async function follow(place, id, stay) {
  const call = { path: `/v1/backfills/${encodeURIComponent(id)}` };
  const upload = sent().filter((entry) => entry.id === id).map(({ query, name }) => ({ path: "/v1/backfills", query, file: { name } }));
  for (;;) {
    const answer = await ask(call, stay);
    show(place, h("h1", {}, "Past jobs ", h("small", {}, id)), state(answer), ...(answer.state === "done" ? result(answer, call) : []), problemsOf(answer), buttons(answer, call), repeatBox(...upload, call));
    if (answer.state === "done" || answer.state === "failed") return;
    await new Promise((resolve) => { setTimeout(resolve, LOOK_MILLISECONDS); });
    if (stay.aborted) return;
  }
}

function state(answer) {
  const rows = answer.rows === undefined ? "" : `${number(answer.rows_done ?? 0)} of ${number(answer.rows)} rows`;
  const bar = answer.state === "running" && h("progress", { max: answer.rows || null, value: answer.rows ? answer.rows_done ?? 0 : null, "aria-label": "Rows converted" });
  return h("div", {}, h("p", { class: "headline" }, h("strong", {}, answer.state), " ", h("span", { class: "quiet" }, [answer.doing, rows].filter(Boolean).join(", "))),
    bar, answer.detail && h("p", { class: "note" }, answer.detail));
}

function problemsOf({ errors }) {
  return errors?.length ? h("div", { class: "problem" }, h("ul", {}, errors.map((entry) => h("li", {}, h("code", {}, entry.pointer), " ", entry.detail)))) : null;
}

function result({ summary, expires_at: expires }, call) {
  const groups = [["By month", summary.by_month], ["By zone", summary.by_zone], ["By project", summary.by_project]];
  return [
    h("p", { class: "headline" }, h("strong", {}, mass(summary.emissions_g)), " CO₂e ", h("span", { class: "quiet" }, `(${massBandTold(summary.emissions_low_g, summary.emissions_high_g)})`)),
    h("p", {}, `${counted(summary.jobs, "job")}, ${number(summary.facility_energy_kwh)} kWh, ${summary.signal}, read as ${summary.format}. ${counted(summary.rows_quarantined, "row")} without numbers, ${counted(summary.rows_skipped, "row")} that only repeat others.`,
      expires ? ` Kept until ${instant(expires)} UTC.` : ""),
    h("h2", {}, "What is measured, and what is not"), coverageBar(summary.coverage, "Share of the energy by quality"),
    groups.map(([name, entries]) => (entries.length ? table(name, [name.slice(3), "Jobs", "Energy", "Emits", "p10–p90"], entries.map((entry) => [
      entry.name, number(entry.jobs), `${number(entry.facility_energy_kwh)} kWh`, mass(entry.emissions_g), massBand(entry.emissions_low_g, entry.emissions_high_g)])) : null)),
    repeatBox({ path: `${call.path}/result` }, { path: `${call.path}/quarantine` }),
  ];
}

function buttons(answer, call) {
  const told = h("div");
  const remove = h("button", { type: "button", class: "quiet", onclick: async () => {
    try {
      await ask({ ...call, method: "DELETE" });
      remember(sent().filter(({ id }) => id !== answer.id));
      location.hash = "#/backfills";
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      show(told, problemBox(error));
    }
  } }, answer.state === "done" || answer.state === "failed" ? "Delete" : "Stop and delete");
  return h("div", {}, h("p", { class: "row" },
    answer.state === "done" && saveButton("Save the result", { path: `${call.path}/result` }, `backfill-${answer.id}.${answer.output}`, told),
    answer.state === "done" && answer.rows_quarantined ? saveButton("Save the rows without numbers", { path: `${call.path}/quarantine` }, `backfill-${answer.id}.quarantine.ndjson`, told) : null,
    remove), told);
}

function sent() {
  return JSON.parse(sessionStorage.getItem(SENT) ?? "[]");
}

function remember(entries) {
  sessionStorage.setItem(SENT, JSON.stringify(entries));
}
