// What pages do with the document again and again.

export const byId = (id) => document.getElementById(id);

// Return an element with properties, attributes (where they are named in `attributes`) and children.
export function make(tag, { attributes = {}, ...properties } = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

// Return an SVG element.
export function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// Return the value of the chosen one of a group of radio buttons.
export const chosen = (name) => document.querySelector(`input[name="${name}"]:checked`).value;

// Call `change` when the reader sets one of the inputs inside an element.
export function onInput(element, change) {
  element.addEventListener("input", (event) => event.target.type !== "file" && change(event));
}
