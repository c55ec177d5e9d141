// Pixels: the digit as numbers, in a row, and shuffled.

import { convolve2d } from "lab/convolution.js";
import { data } from "lab/data.js";
import { NumberTable } from "lab/number_table.js";
import { byId, chosen, draw, make } from "lab/page.js";
import { paintGrey, paintSigned } from "lab/paint.js";
import { networkParameters } from "lab/parameters.js";
import { Drawing, readPicture } from "lab/pictures.js";
import { flatten, fromRows } from "lab/tensor.js";
import { onTheme } from "lab/theme.js";
import { percent, short, whole } from "lab/words.js";

const SIDE = 28;
const FIRST = 3; // the digit that is shown at first
const OWN = "own";
const edges = fromRows(data.edges);
let at = [9, 12];
const table = new NumberTable(byId("numbers"), { label: "The 28 x 28 numbers", onPick: pick });
const drawing = new Drawing(byId("drawing"), SIDE, () => {
  markDigit(OWN);
  show();
});

function show() {
  const image = { shape: [SIDE, SIDE], values: drawing.values };
  paintGrey(byId("drawing"), image.values, SIDE, SIDE);
  showDot();
  const isShare = chosen("scale") === "share";
  table.show(image, { fill: "grey", most: 255, text: isShare ? asShare : String, marks: (row, column) => (row === at[0] && column === at[1] ? "in" : "") });
  table.focusable(...at);
  paintGrey(byId("strip"), flatten(image).values, 1, SIDE * SIDE);
  showPixel();
  showShuffled();
}

// As the slides write it: .6, 1, 0.
const asShare = (value) => short(value / 255, 1).replace(/^0\./, ".");

function showDot() {
  if (!drawing.dot) return;
  const context = byId("drawing").getContext("2d");
  context.fillStyle = "#f2985c";
  context.fillRect(drawing.dot[1], drawing.dot[0], 1, 1);
}

function pick(place) {
  at = place;
  table.cells.forEach((cell, i) => (cell.className = i === at[0] * SIDE + at[1] ? "in" : ""));
  showPixel();
}

function showPixel() {
  const [row, column] = at;
  const place = row * SIDE + column;
  const value = drawing.values[place];
  byId("pixel").replaceChildren(
    `Row ${row}, column ${column} holds `, make("b", { textContent: value }), ` of 255, that is ${short(value / 255, 3)}. In the flat row it has the place ${row} \u00d7 ${SIDE} + ${column} = `, make("b", { textContent: place }), ".",
  );
  const near = { above: place - SIDE, left: place - 1, right: place + 1, below: place + SIDE };
  const isThere = { above: row > 0, left: column > 0, right: column < SIDE - 1, below: row < SIDE - 1 };
  const names = Object.keys(near).filter((name) => isThere[name]);
  byId("places").textContent = `The neighbours of this pixel: ${names.map((name) => `${name} at ${near[name]}`).join(", ")}. Above and below are 28 places away.`;
  byId("marks").replaceChildren(
    ...["above", "below"].filter((name) => isThere[name]).map((name) => mark(near[name], name, "var(--muted)")),
    mark(place, "", "var(--orange)"),
  );
}

function mark(place, name, fill) {
  const x = place + 0.5;
  const anchor = name === "above" ? "end" : "start";
  return draw("g", {}, draw("path", { d: `M${x} 0l-5 9h10z`, fill }), draw("text", { x: x + (name === "above" ? 4 : -4), y: 26, "font-size": 15, "text-anchor": anchor, fill: "var(--muted)" }, name));
}

// Return the place that each of the 784 numbers gets when a share of the places is shuffled.
function orderOf(share) {
  const moved = data.order.slice(0, Math.round(share * data.order.length));
  const places = [...moved].sort((a, b) => a - b);
  const order = Array.from({ length: SIDE * SIDE }, (_, place) => place);
  places.forEach((place, i) => (order[place] = moved[i]));
  return order;
}

function showShuffled() {
  const share = Number(byId("share").value) / 100;
  byId("share-value").textContent = percent(share, 0);
  const order = orderOf(share);
  const pictures = data.digits.map(({ pixels }) => pixels);
  pictures.forEach((pixels, i) => {
    const moved = order.map((place) => pixels[place]);
    paintGrey(byId("shuffled").children[i], moved, SIDE, SIDE);
    const found = convolve2d({ shape: [SIDE, SIDE], values: moved }, edges);
    paintSigned(byId("edges").children[i], found.values, ...found.shape);
  });
  const sum = (places) => places.reduce((total, place) => total + (data.weights[place] * drawing.values[place]) / 255, 0);
  byId("sum-before").textContent = short(sum([...order.keys()]), 4);
  byId("sum-after").textContent = short(sum(order), 4);
}

function setShare(percents) {
  byId("share").value = percents;
  showShuffled();
}

function chooseDigit(label) {
  drawing.set(data.digits[label].pixels);
  markDigit(String(label));
}

function markDigit(name) {
  for (const button of byId("digits").children) button.setAttribute("aria-pressed", button.textContent === name);
}

async function takePhoto({ target }) {
  const [file] = target.files;
  target.value = "";
  if (!file) return;
  try {
    const { grey, height, width } = await readPicture(file, SIDE);
    const [top, left] = [Math.floor((SIDE - height) / 2), Math.floor((SIDE - width) / 2)];
    const edge = [...grey.slice(0, width), ...grey.slice(-width)].reduce((sum, value) => sum + value, 0) / (2 * width);
    const isInk = edge > 127; // dark ink on paper: turned round, as MNIST's are
    const values = new Array(SIDE * SIDE).fill(0);
    grey.forEach((value, i) => (values[(top + Math.floor(i / width)) * SIDE + left + (i % width)] = isInk ? 255 - value : value));
    byId("note").hidden = true;
    drawing.set(values);
  } catch {
    byId("note").hidden = false;
    byId("note").textContent = `${file.name}: expected a picture that this browser can read; try a PNG or a JPEG.`;
  }
}

for (const { label } of data.digits) {
  const button = make("button", { type: "button", textContent: label });
  button.addEventListener("click", () => chooseDigit(label));
  byId("digits").append(button);
  for (const name of ["shuffled", "edges"]) {
    byId(name).append(make("canvas", { className: "pixels", attributes: { role: "img", "aria-label": `${label}, ${name}` } }));
  }
}
byId("clear").addEventListener("click", () => {
  drawing.clear();
  byId("drawing").focus();
});
byId("photo").addEventListener("change", takePhoto);
byId("share").addEventListener("input", showShuffled);
byId("shuffle").addEventListener("click", () => setShare(100));
byId("restore").addEventListener("click", () => setShare(0));
for (const one of document.querySelectorAll("input[name=scale]")) one.addEventListener("change", show);
byId("parameters").textContent = whole(networkParameters([784, 120, 84, 10]));
onTheme(show);
chooseDigit(FIRST);
