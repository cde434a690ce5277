// A profile as people have it, CSV or JSON, in the words of the API. Nothing is checked here that the API checks.

const HOUR = 3_600_000;
const STARTS = ["start", "time", "timestamp", "datetime", "date"];
const ENDS = ["end", "stop", "until"];
const ENERGIES = ["kwh", "energy_kwh", "energy"];

/** What a text cannot be read as. */
export class Unreadable extends Error {}

/** The members of POST /v1/emissions that a text holds: a whole job, or its energy alone. Throws Unreadable. */
export function readProfile(text) {
  const trimmed = text.trim();
  if (!trimmed) throw new Unreadable("Paste a profile, or drop a file.");
  return /^[[{]/.test(trimmed) ? readJson(trimmed) : { energy: readCsv(trimmed) };
}

function readJson(text) {
  let told;
  try {
    told = JSON.parse(text);
  } catch (error) {
    throw new Unreadable(`This is no JSON: ${error.message}`);
  }
  if (Array.isArray(told)) {
    if (!told.every((entry) => entry && typeof entry === "object")) throw new Unreadable("A list of numbers has no hours: give {\"start\", \"step\", \"kwh\": [...]}.");
    return { energy: { intervals: told } };
  }
  return "energy" in told ? told : { energy: told };
}

function readCsv(text) {
  const lines = text.split(/\r?\n/).filter((line) => line.trim());
  const mark = [";", "\t", ","].find((candidate) => lines[0].includes(candidate)) ?? ",";
  const heads = cells(lines[0], mark).map((head) => head.toLowerCase());
  const [start, end, kwh] = [STARTS, ENDS, ENERGIES].map((names) => heads.findIndex((head) => names.includes(head)));
  if (start < 0 || kwh < 0) throw new Unreadable("The first line of a CSV names its columns: start and kwh, and end where steps differ.");
  const rows = lines.slice(1).map((line, index) => ({ cells: cells(line, mark), line: index + 2 }));
  if (!rows.length) throw new Unreadable("The CSV has a first line and nothing after it.");
  const starts = rows.map((row) => row.cells[start]);
  const energies = rows.map((row) => number(row.cells[kwh], row.line));
  if (end >= 0) return { intervals: rows.map((row, index) => ({ start: starts[index], end: row.cells[end], kwh: energies[index] })) };
  return { start: starts[0], step: stepOf(starts), kwh: energies };
}

function cells(line, mark) {
  return line.split(mark).map((cell) => cell.trim().replace(/^"(.*)"$/, "$1"));
}

function number(text, line) {
  const value = Number(text);
  if (text === "" || text === undefined || Number.isNaN(value)) throw new Unreadable(`Line ${line}: ${JSON.stringify(text ?? "")} is no number of kWh.`);
  return value;
}

/** The step between starts that are evenly spaced; an hour where there is one. Throws Unreadable. */
function stepOf(starts) {
  const times = starts.map((start) => Date.parse(start));
  const bad = times.findIndex(Number.isNaN);
  if (bad >= 0) throw new Unreadable(`Line ${bad + 2}: ${JSON.stringify(starts[bad])} is no time; write it like 2024-03-11T08:00:00Z.`);
  const step = times.length > 1 ? times[1] - times[0] : HOUR;
  const uneven = times.findIndex((time, index) => index > 0 && time - times[index - 1] !== step);
  if (step <= 0 || uneven >= 0) throw new Unreadable(`Line ${Math.max(uneven, 1) + 2}: starts are not evenly spaced; add a column end.`);
  return `PT${step / 1000}S`;
}
