// Making and changing elements. Text that comes from outside only ever becomes text.

const SVG = "http://www.w3.org/2000/svg";

/** An element: `attributes` by name, `children` elements or texts. */
export function make(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same for drawings. */
export function draw(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** Change a text, only if it is another one: screen readers and animations notice each change. */
export function write(element, text) {
  const wanted = String(text);
  if (element.textContent === wanted) return false;
  element.textContent = wanted;
  return true;
}

/** Write a number; light up for a moment if it has changed. */
export function count(element, text) {
  const had = element.textContent !== "";
  if (!write(element, text) || !had) return;
  element.classList.remove("changed");
  requestAnimationFrame(() => requestAnimationFrame(() => element.classList.add("changed")));
}

/** Whether keys that are pressed there write a text. */
export const isField = (element) => element.matches?.("input:not([type=checkbox]), select, textarea") ?? false;

export const byId = (id) => document.getElementById(id);
