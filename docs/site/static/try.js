// Forms of the reference: send an operation to the service that the page came from, and show what it answers.

const KEY = "gridgram-key"; // as on the page at /, so that a key is given once
const SHOWN_CHARACTERS = 100_000;
const ROOT = new URL(`${document.documentElement.dataset.content_root}../`, location.href);

const currentKey = () => sessionStorage.getItem(KEY) ?? "";
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** What a form asks for: the address, the headers and the body. */
function requestOf(form) {
  const { method, path, accept } = form.dataset;
  const fields = [...form.querySelectorAll("[data-in]")];
  const within = (place) => fields.filter((field) => field.dataset.in === place && field.value !== "");
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name) => encodeURIComponent(form.elements[name]?.value ?? ""));
  const query = within("query").map((field) => `${field.name}=${encodeURIComponent(field.value).replaceAll("%3A", ":")}`);
  const address = new URL(filled.slice(1), ROOT).href + (query.length ? `?${query.join("&")}` : "");
  const headers = Object.fromEntries(within("header").map((field) => [field.name, field.value]));
  const format = within("query").some((field) => field.name === "format");
  if (!format) headers.Accept = accept;
  const [body] = within("body");
  if (body) headers["Content-Type"] = body.dataset.type;
  return { method, address, headers, body: body?.value };
}

/** The command that sends the same. */
function commandOf({ method, address, headers, body }) {
  const parts = [method === "GET" ? "curl -s" : `curl -s -X ${method}`, quoted(address)];
  for (const [name, text] of Object.entries(headers)) parts.push(`-H ${quoted(`${name}: ${text}`)}`);
  if (currentKey()) parts.push('-H "Authorization: Bearer $GRIDGRAM_KEY"');
  if (body !== undefined) parts.push(`--data-binary ${quoted(body)}`);
  return parts.join(" \\\n  ");
}

function element(tag, text, attributes = {}) {
  const made = document.createElement(tag);
  made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

/** The body of an answer as an element: text where it is text, else a link that saves it. */
async function bodyOf(response) {
  const type = response.headers.get("Content-Type") ?? "";
  const blob = await response.blob();
  if (!/json|text|yaml|xml|javascript/.test(type)) {
    const size = `${blob.size.toLocaleString("en")} bytes`;
    return blob.size ? element("a", `Save ${size}`, { href: URL.createObjectURL(blob), download: "answer" }) : element("p", "No body.");
  }
  let text = await blob.text();
  if (/[/+]json/.test(type)) text = JSON.stringify(JSON.parse(text), null, 2);
  if (text.length > SHOWN_CHARACTERS) text = `${text.slice(0, SHOWN_CHARACTERS)}\n… ${(text.length - SHOWN_CHARACTERS).toLocaleString("en")} more characters`;
  const shown = element("pre", "", { tabindex: "0" });
  shown.append(element("code", text));
  return shown;
}

/** Send what a form asks for and show the answer under it. */
async function sendForm(form, shown) {
  const { method, address, headers, body } = requestOf(form);
  if (currentKey()) headers.Authorization = `Bearer ${currentKey()}`;
  shown.hidden = false;
  shown.replaceChildren(element("p", "Asking …"));
  const started = performance.now();
  try {
    const response = await fetch(address, { method, headers, body });
    const milliseconds = Math.round(performance.now() - started);
    const told = `${response.status} ${response.statusText}, ${response.headers.get("Content-Type") ?? "no body"}, ${milliseconds} ms`;
    shown.replaceChildren(element("p", told, { class: response.ok ? "status" : "status refused" }), await bodyOf(response));
  } catch (error) {
    shown.replaceChildren(element("p", `The service could not be reached: ${error.message}`, { class: "status refused" }));
  }
}

for (const details of document.querySelectorAll("details.try")) {
  const form = details.querySelector("form");
  const command = details.querySelector("pre.command code");
  const tell = () => {
    command.textContent = commandOf(requestOf(form));
  };
  details.hidden = false;
  details.addEventListener("toggle", tell);
  form.addEventListener("input", tell);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    tell();
    sendForm(form, details.querySelector(".answer"));
  });
}

for (const place of document.querySelectorAll(".try-key")) {
  const field = place.querySelector("input");
  place.hidden = false;
  field.value = currentKey();
  field.addEventListener("input", () => {
    if (field.value) sessionStorage.setItem(KEY, field.value);
    else sessionStorage.removeItem(KEY);
  });
}
