// Pooling: the slides' numbers and a digit. The dropout of the same page is in drop.js.

import { data } from "lab/data.js";
import { NumberTable } from "lab/number_table.js";
import { byId, chosen, make } from "lab/page.js";
import { paintGrey } from "lab/paint.js";
import { averagePool2d, maxPool2d, removedFraction } from "lab/pooling.js";
import { fromRows } from "lab/tensor.js";
import { onTheme } from "lab/theme.js";
import { layout } from "lab/windows.js";
import { percent, short } from "lab/words.js";
import { showNetwork } from "page/drop.js";

const SIDE = 28;
let numbers = fromRows(data.slides);
let at = [0, 0];
const before = new NumberTable(byId("before"), { label: "Numbers before pooling" });
const after = new NumberTable(byId("after"), { label: "Numbers after pooling", onPick: pick });

const settings = () => ({ size: Number(byId("size").value), stride: Number(byId("stride").value), padding: chosen("padding") });
const pool = (image, { size, stride, padding }) => (chosen("kind") === "max" ? maxPool2d : averagePool2d)(image, size, stride, padding);

function show() {
  const { size, stride, padding } = settings();
  byId("size-value").textContent = `${size} x ${size}`;
  byId("stride-value").textContent = stride;
  const pooled = pool(numbers, settings());
  at = at.map((place, axis) => Math.min(place, pooled.shape[axis] - 1));
  after.show(pooled, { most: 9 });
  byId("before-size").textContent = numbers.shape.join(" x ");
  byId("after-size").textContent = pooled.shape.join(" x ");
  byId("removed").textContent = percent(removedFraction(size, stride, numbers.shape, padding));
  pick(at);
  showDigit();
}

function pick(place) {
  at = place;
  after.cells.forEach((cell, i) => (cell.className = i === at[0] * after.columns + at[1] ? "at" : ""));
  after.focusable(...at);
  const { size, stride, padding } = settings();
  const { before: margin } = layout(numbers.shape, size, stride, padding);
  const [top, left] = at.map((place, axis) => place * stride - margin[axis]);
  const isIn = (row, column) => row >= top && row < top + size && column >= left && column < left + size;
  const values = numbers.values.filter((_, i) => isIn(Math.floor(i / numbers.shape[1]), i % numbers.shape[1]));
  const isMax = chosen("kind") === "max";
  const best = isMax ? Math.max(...values) : null;
  const focused = document.activeElement?.closest?.("#before") ? document.activeElement.dataset.at : null;
  before.show(numbers, { most: 9, marks: (row, column) => (isIn(row, column) ? (numbers.values[row * numbers.shape[1] + column] === best ? "in at" : "in") : "") });
  makeEditable(focused);
  const list = values.map((value) => short(value)).join(isMax ? ", " : " + ");
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const start = isMax ? `The largest of ${list} is ` : `(${list}) / ${values.length} = `;
  byId("sum").replaceChildren(start, make("b", { textContent: short(isMax ? best : mean) }), ".");
}

// Put an input into each cell: the numbers are the learner's.
function makeEditable(focused) {
  before.cells.forEach((cell, i) => {
    const [row, column] = [Math.floor(i / before.columns) + 1, (i % before.columns) + 1];
    const input = make("input", { type: "text", inputMode: "decimal", autocomplete: "off", value: numbers.values[i], attributes: { "aria-label": `Row ${row}, column ${column}`, "data-at": i } });
    cell.replaceChildren(input);
    if (String(i) === focused) input.focus();
  });
}

byId("before").addEventListener("change", ({ target }) => {
  const value = Number(target.value.replace("\u2212", "-").replace(",", "."));
  const isNumber = target.value.trim() !== "" && Number.isFinite(value);
  target.setAttribute("aria-invalid", !isNumber);
  if (!isNumber) return;
  numbers.values[Number(target.dataset.at)] = value;
  show();
});

function moved(pixels, shift) {
  return pixels.map((_, i) => (i % SIDE >= shift ? pixels[i - shift] : 0));
}

function showDigit() {
  const shift = Number(byId("shift").value);
  byId("shift-value").textContent = shift;
  const image = { shape: [SIDE, SIDE], values: moved(data.digit, shift) };
  const pooled = pool(image, settings());
  paintGrey(byId("digit"), image.values, SIDE, SIDE);
  paintGrey(byId("pooled"), pooled.values, ...pooled.shape);
  byId("digit-before").textContent = `${SIDE} x ${SIDE}`;
  byId("digit-after").textContent = pooled.shape.join(" x ");
  const still = pool({ shape: [SIDE, SIDE], values: data.digit }, settings());
  byId("changed").textContent = `A shift of ${shift} px changes the picture by ${short(difference(image.values, data.digit), 1)} of 255 for each number, and the pooled one by ${short(difference(pooled.values, still.values), 1)}.`;
}

const difference = (a, b) => a.reduce((sum, value, i) => sum + Math.abs(value - b[i]), 0) / a.length;

function setNumbers(values) {
  numbers = { shape: [4, 4], values };
  show();
}

byId("slides").addEventListener("click", () => setNumbers(data.slides.flat()));
byId("random").addEventListener("click", () => setNumbers(Array.from({ length: 16 }, () => Math.floor(10 * Math.random()))));
for (const id of ["size", "stride"]) byId(id).addEventListener("input", show);
for (const one of document.querySelectorAll("input[name=kind], input[name=padding]")) one.addEventListener("change", show);
byId("shift").addEventListener("input", showDigit);
onTheme(show);
show();
showNetwork();
