// Calls of this service. Each is told as data, so that the page can make it and show it as the command that repeats it.

const KEY = "gridgram-key";
const BYTES = "application/octet-stream";

/** What the service answers in place of a success, in its own words. */
export class Problem extends Error {
  constructor(told, status) {
    super(told.detail ?? `The service answered ${status}.`);
    this.told = told;
    this.status = status;
  }
}

/** The key that is sent with every call; empty without one. It lives as long as the tab. */
export function currentKey() {
  return sessionStorage.getItem(KEY) ?? "";
}

/** Send this key from now on; none when it is empty. */
export function useKey(text) {
  if (text) sessionStorage.setItem(KEY, text);
  else sessionStorage.removeItem(KEY);
}

/** The path and query of a call. */
export function pathOf({ path, query = {} }) {
  const told = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  const text = told.map(([name, value]) => `${name}=${encodeURIComponent(value).replaceAll("%3A", ":").replaceAll("%2C", ",")}`).join("&");
  return text ? `${path}?${text}` : path;
}

/** The answer of a call as the browser has it. Throws Problem; a service that cannot be reached is one too. */
export async function send(request, signal) {
  const headers = {};
  if (request.file) headers["Content-Type"] = BYTES;
  else if (request.body !== undefined) headers["Content-Type"] = "application/json";
  if (currentKey()) headers.Authorization = `Bearer ${currentKey()}`;
  let response;
  try {
    response = await fetch(pathOf(request), {
      method: methodOf(request),
      headers,
      body: request.file ?? (request.body === undefined ? undefined : bodyText(request)),
      signal,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ title: "The service cannot be reached", detail: "The service cannot be reached from this browser." }, 0);
  }
  if (!response.ok) throw new Problem(await response.json().catch(() => ({})), response.status);
  return response;
}

/** The JSON of an answer. Throws Problem. */
export async function ask(request, signal) {
  return (await send(request, signal)).json();
}

/** The command that makes the same call. A key is named, never shown. */
export function curl(request) {
  const parts = [`curl -s '${location.origin}${pathOf(request).replaceAll("'", "%27")}'`];
  if (request.method) parts.push(`-X ${request.method}`);
  if (currentKey()) parts.push(`-H "Authorization: Bearer $GRIDGRAM_KEY"`);
  if (request.file) parts.push(`-H 'Content-Type: ${BYTES}'`, `--data-binary '@${request.file.name.replaceAll("'", "'\\''")}'`);
  if (request.body !== undefined) {
    parts.push("-H 'Content-Type: application/json'", `-d '${bodyText(request).replaceAll("'", "'\\''")}'`);
  }
  return parts.join(" \\\n  ");
}

function methodOf({ method, body, file }) {
  return method ?? (body === undefined && !file ? "GET" : "POST");
}

function bodyText({ body }) {
  return typeof body === "string" ? body : JSON.stringify(body);
}
