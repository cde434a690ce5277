// Numbers, masses and times for people. Nothing is computed here but a change of unit.

const NUMBER = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const PERCENT = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });
const DAY = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", timeZone: "UTC" });
const MASSES = [[1e6, "t"], [1e3, "kg"], [1, "g"], [1e-3, "mg"]];

/** A number with three digits, whole from a hundred on. */
export function number(value) {
  return Math.abs(value) >= 100 ? WHOLE.format(value) : NUMBER.format(value);
}

/** Grams in the unit that reads best. */
export function mass(grams) {
  const [size, unit] = MASSES.find(([least]) => Math.abs(grams) >= least) ?? (grams ? MASSES.at(-1) : [1, "g"]);
  return `${number(grams / size)} ${unit}`;
}

/** A band of numbers, in words where none is known, which the API tells by two equal ends. */
export function band(low, high) {
  return low === high ? "no band known" : `${number(low)}–${number(high)}`;
}

/** A band of grams as a sentence has it. */
export function massBandTold(low, high) {
  return low === high ? "no band known" : `p10–p90 ${mass(low)}–${mass(high)}`;
}

/** A band of grams; a dash where none is known, which the API tells by two equal ends. */
export function massBand(low, high) {
  return low === high ? "–" : `${mass(low)}–${mass(high)}`;
}

/** So many of something: "1 job", "2 jobs". */
export function counted(count, name) {
  return `${number(count)} ${name}${count === 1 ? "" : "s"}`;
}

/** A share of 1 as percent. */
export function share(value) {
  return PERCENT.format(value);
}

/** The weekday and date of an instant, in UTC. */
export function day(time) {
  return DAY.format(new Date(time));
}

/** The clock of an instant, in UTC. */
export function clock(time) {
  return new Date(time).toISOString().slice(11, 16);
}

/** Date and clock of an instant, in UTC. */
export function instant(time) {
  return `${day(time)}, ${clock(time)}`;
}

/** An instant as the API takes it: UTC, to the second. */
export function rfc3339(time) {
  return new Date(time).toISOString().replace(/\.\d+Z$/, "Z");
}

/** How long ago, roughly. */
export function age(seconds) {
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}
