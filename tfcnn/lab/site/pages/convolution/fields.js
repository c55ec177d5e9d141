// The receptive field, layer by layer.

import { data } from "lab/data.js";
import { byId, draw, make } from "lab/page.js";
import { receptiveField } from "lab/receptive_field.js";
import { short } from "lab/words.js";

const [SIDE, UNIT, MARGIN] = [32, 10, 10];
let layers = [[3, 1]];

export function showFields() {
  Object.keys(data.stacks).forEach((name) => byId("stacks").append(make("option", { value: name, textContent: name })));
  byId("stacks").addEventListener("change", ({ target }) => target.value && set(data.stacks[target.value]));
  byId("add-conv").addEventListener("click", () => set([...layers, [3, 1]]));
  byId("add-pool").addEventListener("click", () => set([...layers, [2, 2]]));
  byId("take").addEventListener("click", () => set(layers.slice(0, -1)));
  show();
  return show;
}

function set(stack) {
  layers = stack;
  show();
}

function show() {
  const sizes = layers.map((_, i) => receptiveField(layers.slice(0, i + 1)));
  const last = sizes.at(-1) ?? 1;
  byId("field-size").textContent = `${last} x ${last} px`;
  byId("take").disabled = !layers.length;
  byId("layers").replaceChildren(
    ...layers.map(([kernel, stride], i) => make("li", { textContent: `${stride > 1 ? "pooling" : "convolution"} ${kernel} x ${kernel}${stride > 1 ? `, stride ${stride}` : ""}: sees ${sizes[i]} x ${sizes[i]}` })),
  );
  const whole = SIDE * UNIT;
  const grid = draw("g", { stroke: "var(--line)", "stroke-width": 0.6 });
  for (let i = 0; i <= SIDE; i++) {
    const at = MARGIN + i * UNIT;
    grid.append(draw("line", { x1: at, y1: MARGIN, x2: at, y2: MARGIN + whole }), draw("line", { y1: at, x1: MARGIN, y2: at, x2: MARGIN + whole }));
  }
  const squares = sizes.map((size, i) => square(size, i === sizes.length - 1));
  byId("field").replaceChildren(draw("rect", { x: MARGIN, y: MARGIN, width: whole, height: whole, fill: "var(--grey)" }), grid, ...squares.reverse());
  byId("field").setAttribute("aria-label", `The receptive field of ${last} x ${last} in an image of ${SIDE} x ${SIDE} px, ${short((100 * Math.min(last, SIDE) ** 2) / SIDE ** 2)} % of it`);
}

function square(size, isLast) {
  const shown = Math.min(size, SIDE);
  const at = MARGIN + Math.floor((SIDE - shown) / 2) * UNIT;
  const look = isLast ? { fill: "var(--orange)", "fill-opacity": 0.28, stroke: "var(--orange)", "stroke-width": 2.5 } : { fill: "none", stroke: "var(--blue)", "stroke-width": 1.5 };
  return draw("rect", { x: at, y: at, width: shown * UNIT, height: shown * UNIT, ...look });
}
