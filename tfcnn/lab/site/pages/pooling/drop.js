// A small network whose hidden units are dropped.

import { dropout } from "lab/dropout.js";
import { byId, chosen, draw } from "lab/page.js";
import { percent, short } from "lab/words.js";

const UNITS = [0.9, 0.3, 0.7, 0.5, 1, 0.2, 0.8, 0.6]; // what the hidden units give
const [INPUTS, OUTPUTS] = [4, 2];
const [LEFT, MIDDLE, RIGHT, TOP, BOTTOM] = [30, 220, 410, 10, 320];
let draws = [];
let sums = [];

const heights = (count) => Array.from({ length: count }, (_, i) => TOP + ((i + 0.5) * (BOTTOM - TOP)) / count);
const sumOf = (values) => values.reduce((total, value) => total + value, 0);

export function showNetwork() {
  byId("rate").addEventListener("input", restart);
  byId("drop").addEventListener("click", drop);
  for (const one of document.querySelectorAll("input[name=mode]")) one.addEventListener("change", restart);
  restart();
}

function restart() {
  sums = [];
  drop();
}

function drop() {
  draws = UNITS.map(() => Math.random());
  const [rate, isTraining] = [Number(byId("rate").value) / 100, chosen("mode") === "training"];
  const units = dropout(UNITS, rate, draws, isTraining);
  const isOff = UNITS.map((_, i) => isTraining && draws[i] < rate);
  sums.push(sumOf(units));
  byId("rate-value").textContent = percent(rate, 0);
  byId("drop").disabled = !isTraining;
  byId("off").textContent = `${isOff.filter(Boolean).length} of ${UNITS.length}`;
  byId("sum-all").textContent = short(sumOf(UNITS));
  byId("sum-now").textContent = short(sumOf(units));
  byId("sum-mean").textContent = short(sumOf(sums) / sums.length);
  byId("mean-words").textContent = `mean of ${sums.length} draw${sums.length === 1 ? "" : "s"}`;
  const kept = isOff.indexOf(false);
  byId("units").textContent = !isTraining || kept < 0 || rate === 0 ? "" : `A unit that stays: ${short(UNITS[kept])} / (1 \u2212 ${short(rate)}) = ${short(units[kept])}.`;
  paint(units, isOff);
}

function paint(units, isOff) {
  const [inputs, hidden, outputs] = [INPUTS, UNITS.length, OUTPUTS].map(heights);
  const lines = draw("g", { "stroke-width": 1.2 });
  hidden.forEach((y, unit) => {
    const style = isOff[unit] ? { stroke: "var(--line)", "stroke-dasharray": "2 5" } : { stroke: "var(--blue)", "stroke-opacity": 0.55 };
    for (const from of inputs) lines.append(draw("line", { x1: LEFT, y1: from, x2: MIDDLE, y2: y, ...style }));
    for (const to of outputs) lines.append(draw("line", { x1: MIDDLE, y1: y, x2: RIGHT, y2: to, ...style }));
  });
  const circles = draw("g", { stroke: "var(--ink)", "stroke-width": 1.5, fill: "var(--paper)" });
  for (const [x, places] of [[LEFT, inputs], [RIGHT, outputs]]) {
    for (const y of places) circles.append(draw("circle", { cx: x, cy: y, r: 13 }));
  }
  hidden.forEach((y, unit) => circles.append(...hiddenUnit(y, units[unit], isOff[unit])));
  byId("network").replaceChildren(lines, circles);
}

function hiddenUnit(y, value, isOff) {
  const look = isOff ? { fill: "var(--grey)", stroke: "var(--muted)", "stroke-dasharray": "3 3" } : { fill: "var(--blue)", stroke: "var(--blue)" };
  const words = { x: MIDDLE, y: y + 4.5, "text-anchor": "middle", "font-size": 13, stroke: "none", fill: isOff ? "var(--muted)" : "var(--on-blue)" };
  return [draw("circle", { cx: MIDDLE, cy: y, r: 16.5, ...look }), draw("text", words, isOff ? "off" : short(value))];
}
