// Elements of HTML and SVG from plain values. Text is always text: nothing that the service answers is read as markup.

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element. Members that begin with "on" are listeners; null, undefined and false are left out. */
export function h(tag, members = {}, ...children) {
  return filled(document.createElement(tag), members, children);
}

/** An SVG element, as `h`. */
export function s(tag, members = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), members, children);
}

/** Put other children in place of those that an element has. */
export function show(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

function filled(element, members, children) {
  for (const [name, value] of Object.entries(members)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  return show(element, ...children);
}

let made = 0;

/** A name for an element that no other element has. */
export function freshId() {
  made += 1;
  return `made-${made}`;
}
