// A layer in one dimension: eight inputs, and the connections of one or two filters drawn.

import { connections, convolve1d } from "lab/convolution.js";
import { NumberTable } from "lab/number_table.js";
import { byId, chosen, draw, make } from "lab/page.js";
import { largest } from "lab/paint.js";
import { outputSize } from "lab/windows.js";
import { percent, short } from "lab/words.js";

const INPUTS = [0, 1, 1, 0, 0.5, 1, 0, 0];
const FILTERS = [
  [-1, 1, 0.5, -0.5, 0.25],
  [0.5, 0.5, 1, -1, -0.5],
]; // their first numbers: a rise, and a mean
const COLOURS = ["var(--blue)", "var(--orange)"];
const [LEFT, RIGHT, HEIGHT] = [50, 390, 470];
let picked = 3;
let matrix = null;

export function showNeurons() {
  matrix = new NumberTable(byId("matrix"), { label: "Weights of the fully connected layer" });
  for (const id of ["length", "stride1"]) byId(id).addEventListener("input", show);
  for (const one of document.querySelectorAll("input[name=layer], input[name=padding1]")) one.addEventListener("change", show);
  show();
  return show;
}

// Return what is set: for a fully connected layer, a weight for each pair of neurons.
function layer() {
  const kind = chosen("layer");
  const [size, stride, padding] = [Number(byId("length").value), Number(byId("stride1").value), chosen("padding1")];
  const places = kind === "dense" ? INPUTS.length : outputSize(INPUTS.length, size, stride, padding);
  if (kind === "dense") {
    const weights = Array.from({ length: places }, (_, p) => INPUTS.map((_, i) => short3(Math.sin(3 * p + 5 * i + 1))));
    return { kind, places, outputs: weights.map((row) => ({ filter: 0, row, value: dot(row) })) };
  }
  const outputs = [];
  for (let f = 0; f < Number(kind); f++) {
    const filter = { shape: [size], values: FILTERS[f].slice(0, size) };
    const all = connections(INPUTS.length, filter, stride, padding);
    const values = convolve1d({ shape: [INPUTS.length], values: INPUTS }, filter, stride, padding).values;
    values.forEach((value, p) => outputs.push({ filter: f, value, row: INPUTS.map((_, i) => all.values[i * places + p]), all }));
  }
  return { kind, size, stride, places, outputs };
}

const short3 = (value) => Number(value.toFixed(2));
const dot = (row) => row.reduce((sum, weight, i) => sum + weight * INPUTS[i], 0);

function show() {
  const found = layer();
  const isDense = found.kind === "dense";
  for (const id of ["length", "stride1"]) byId(id).disabled = isDense;
  for (const one of document.querySelectorAll("input[name=padding1]")) one.disabled = isDense;
  byId("length-value").textContent = byId("length").value;
  byId("stride1-value").textContent = byId("stride1").value;
  picked = Math.min(picked, found.outputs.length - 1);
  const used = found.outputs.reduce((sum, { row }) => sum + row.filter((weight) => weight !== 0).length, 0);
  byId("connections").textContent = used;
  byId("weights1").textContent = isDense ? used : found.size * Number(found.kind);
  byId("density").textContent = percent(used / (INPUTS.length * found.outputs.length), 0);
  byId("matrix-box").hidden = isDense;
  if (!isDense) matrix.show(found.outputs[0].all, { most: largest(found.outputs[0].all.values) });
  paint(found);
}

const yOf = (i, count, top = 24, bottom = HEIGHT - 20) => top + ((i + 0.5) * (bottom - top)) / count;

function paint(found) {
  const lines = draw("g");
  found.outputs.forEach(({ row, filter }, o) => {
    const y = yOf(o, found.outputs.length);
    row.forEach((weight, i) => weight !== 0 && lines.append(line(i, y, weight, filter, o === picked)));
  });
  const inputs = INPUTS.map((value, i) => neuron(LEFT, yOf(i, INPUTS.length), value, "var(--ink)", `input ${i + 1}`));
  const outputs = found.outputs.map(({ value, filter }, o) => output(found, o, value, filter));
  byId("neurons").replaceChildren(...words(found), lines, ...inputs, ...outputs);
  say(found);
}

function line(i, y, weight, filter, isPicked) {
  const width = 0.8 + 1.6 * Math.abs(weight);
  const dashes = weight < 0 ? { "stroke-dasharray": "6 4" } : {};
  return draw("line", { x1: LEFT, y1: yOf(i, INPUTS.length), x2: RIGHT, y2: y, stroke: COLOURS[filter], "stroke-width": isPicked ? width + 2 : width, "stroke-opacity": isPicked ? 1 : 0.3, ...dashes });
}

function neuron(x, y, value, stroke, label) {
  return draw("g", { "aria-label": label }, draw("circle", { cx: x, cy: y, r: 18, fill: "var(--paper)", stroke, "stroke-width": 2 }), draw("text", { x, y: y + 4.5, "text-anchor": "middle", "font-size": 13, fill: "var(--ink)" }, short(value)));
}

function output(found, o, value, filter) {
  const group = neuron(RIGHT, yOf(o, found.outputs.length), value, COLOURS[filter], `output ${o + 1}`);
  const small = Math.min(18, (0.42 * (HEIGHT - 44)) / found.outputs.length);
  group.firstChild.setAttribute("r", small);
  group.lastChild.setAttribute("font-size", small < 15 ? 11 : 13);
  if (o === picked) group.firstChild.setAttribute("fill", "var(--grey)");
  group.setAttribute("tabindex", o === picked ? 0 : -1);
  group.setAttribute("role", "button");
  const pick = () => choose(found, o);
  group.addEventListener("click", pick);
  group.addEventListener("keydown", (event) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    choose(found, Math.min(found.outputs.length - 1, Math.max(0, o + step)));
    byId("neurons").querySelector("g[tabindex='0']").focus();
  });
  return group;
}

function choose(found, o) {
  picked = o;
  paint(found);
}

function words({ kind }) {
  const text = { "font-size": 14, fill: "var(--muted)", "text-anchor": "middle" };
  const right = kind === "dense" ? "outputs" : kind === "1" ? "outputs of 1 filter" : "outputs of 2 filters";
  return [draw("text", { ...text, x: LEFT, y: 14 }, "inputs"), draw("text", { ...text, x: RIGHT + 40, y: 14, "text-anchor": "end" }, right)];
}

function say(found) {
  const { row, value } = found.outputs[picked];
  const terms = row.map((weight, i) => (weight ? `${short(INPUTS[i])} \u00d7 ${short(weight)}` : "")).filter(Boolean);
  byId("neuron-sum").replaceChildren(`Output ${picked + 1}: ${terms.join(" + ")} = `, make("b", { textContent: short(value) }), ". Dashed lines have a negative weight.");
}
