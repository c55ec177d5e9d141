// Parameters of a convolution, and of the dense layer with as many outputs.

import { byId, make } from "lab/page.js";
import { convolutionParameters, denseParameters } from "lab/parameters.js";
import { outputSize } from "lab/windows.js";
import { whole } from "lab/words.js";

const INPUTS = ["side", "depth", "kernel", "count"];

export function countParameters() {
  for (const id of INPUTS) byId(id).addEventListener("input", show);
  show();
  return show;
}

function show() {
  const [side, depth, kernel, filters] = INPUTS.map((id) => Number(byId(id).value));
  [`${side} x ${side}`, depth, `${kernel} x ${kernel}`, filters].forEach((text, i) => (byId(`${INPUTS[i]}-value`).textContent = text));
  if (kernel > side) return;
  const out = outputSize(side, kernel);
  const few = convolutionParameters(kernel, depth, filters);
  const many = denseParameters(side * side * depth, out * out * filters);
  const most = Math.log10(many);
  byId("bars").replaceChildren(...bar("convolution", few, most, ""), ...bar("dense layer", many, most, "dense"));
  byId("count-sum").replaceChildren(
    `(${kernel} \u00d7 ${kernel} \u00d7 ${depth} + 1) \u00d7 ${filters} = `, make("b", { textContent: whole(few) }),
    `. A dense layer with the same ${out} x ${out} x ${filters} outputs has `, make("b", { textContent: whole(many) }), `, ${whole(Math.round(many / few))} times as many. The bars are on a logarithmic scale.`,
  );
}

function bar(name, count, most, className) {
  const strip = make("i", { className });
  strip.style.width = `${(100 * Math.log10(count)) / most}%`;
  return [make("span", {}, name, make("b", { textContent: whole(count) })), strip];
}
