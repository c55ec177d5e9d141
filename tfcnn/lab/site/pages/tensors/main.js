// One-hot labels, and the four axes of a set of pictures.

import { data } from "lab/data.js";
import { oneHot } from "lab/one_hot.js";
import { byId, chosen, draw, make } from "lab/page.js";
import { paintGrey } from "lab/paint.js";
import { sizeOf } from "lab/tensor.js";
import { short, whole } from "lab/words.js";

const SIDE = 28;
const AXES = ["images", "height", "width"];

function showLabel() {
  const classes = Number(byId("classes").value);
  const input = byId("label");
  input.max = classes - 1;
  byId("classes-value").textContent = classes;
  const label = Number(input.value);
  const isLabel = input.value !== "" && Number.isInteger(label) && label >= 0 && label < classes;
  input.setAttribute("aria-invalid", !isLabel);
  for (const button of byId("labels").children) {
    button.disabled = Number(button.textContent) >= classes;
    button.setAttribute("aria-pressed", isLabel && Number(button.textContent) === label);
  }
  if (!isLabel) {
    byId("array").textContent = `Expected a whole number from 0 to ${classes - 1}: with ${classes} classes there is no other place.`;
    return;
  }
  const row = oneHot(label, classes);
  const heads = row.map((_, place) => make("th", { textContent: place, scope: "col" }));
  const cells = row.map((value) => make("td", { textContent: value, className: value ? "one" : "" }));
  byId("hot").replaceChildren(make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, make("tr", {}, ...cells)));
  byId("array").replaceChildren(`${label} is `, make("b", { textContent: `[${row.join(", ")}]` }));
  const digit = data.digits.find((one) => one.label === label);
  byId("digit").hidden = !digit;
  if (digit) paintGrey(byId("digit"), digit.pixels, SIDE, SIDE);
  showDistance(label, classes);
}

function showDistance(label, classes) {
  const old = Number(byId("other").value || 9);
  const options = Array.from({ length: classes }, (_, place) => make("option", { value: place, textContent: place, selected: place === Math.min(old, classes - 1) }));
  byId("other").replaceChildren(...options);
  const other = Number(byId("other").value);
  const [a, b] = [oneHot(label, classes), oneHot(other, classes)];
  byId("far-number").textContent = Math.abs(label - other);
  byId("far-hot").textContent = short(Math.hypot(...a.map((value, i) => value - b[i])), 3);
}

function showTensor() {
  const [images, height, width] = AXES.map((name) => Number(byId(name).value));
  const channels = Number(chosen("channels"));
  const shape = [images, height, width, channels];
  AXES.forEach((name, i) => (byId(`${name}-value`).textContent = shape[i]));
  byId("shape").textContent = shape.join(", ");
  byId("count").textContent = whole(sizeOf(shape));
  byId("bytes").textContent = whole(sizeOf(shape));
  byId("floats").textContent = whole(4 * sizeOf(shape));
  showStack(shape);
  showPlace(shape);
}

function showPlace(shape) {
  const inputs = ["n", "r", "c", "k"].map(byId);
  inputs.forEach((input, axis) => {
    input.max = shape[axis] - 1;
    const value = Number(input.value);
    input.setAttribute("aria-invalid", !(Number.isInteger(value) && value >= 0 && value < shape[axis]));
  });
  const wrong = inputs.find((input) => input.getAttribute("aria-invalid") === "true");
  if (wrong) {
    byId("where").textContent = `${wrong.getAttribute("aria-label")}: expected a whole number from 0 to ${wrong.max}.`;
    return;
  }
  const at = inputs.map((input) => Number(input.value));
  const place = at.reduce((sum, index, axis) => sum * shape[axis] + index, 0);
  byId("where").replaceChildren(
    make("b", { textContent: `images[${at.join(", ")}]` }), ` is number ${whole(place)} in memory: ((${at[0]} \u00d7 ${shape[1]} + ${at[1]}) \u00d7 ${shape[2]} + ${at[2]}) \u00d7 ${shape[3]} + ${at[3]}.`,
  );
}

// Draw each picture as a sheet, its channels one behind the other.
function showStack([images, height, width, channels]) {
  const scale = 3;
  const [h, w] = [height * scale, width * scale];
  const step = images > 1 ? Math.min(40, 190 / (images - 1)) : 0;
  const rise = 10;
  const [left, top] = [58, 24 + (images - 1) * rise];
  const sheets = Array.from({ length: images }, (_, n) => {
    const back = images - 1 - n;
    return sheet(left + back * step, top - back * rise, w, h, channels, back);
  });
  const text = { "font-size": 14, fill: "var(--muted)", "text-anchor": "middle" };
  const bottom = top + h + 8 * (channels - 1);
  const words = [
    draw("text", { ...text, x: left + w / 2, y: bottom + 20 }, `width ${width}`),
    draw("text", { ...text, transform: `translate(${left - 14} ${top + h / 2}) rotate(-90)` }, `height ${height}`),
    draw("text", { ...text, x: left + w + 40, y: bottom + 20, "text-anchor": "start" }, `${images} image${images > 1 ? "s" : ""} of ${channels} channel${channels > 1 ? "s" : ""}`),
  ];
  const full = [left + w + Math.max(210, (images - 1) * step + 30), bottom + 32];
  byId("stack").setAttribute("viewBox", `0 0 ${Math.max(360, full[0])} ${full[1]}`);
  byId("stack").replaceChildren(...sheets, ...words);
}

function sheet(x, y, width, height, channels, back) {
  const digit = data.digits[(3 + 4 * back) % data.digits.length].pixels;
  const group = draw("g");
  for (let channel = channels - 1; channel >= 0; channel--) {
    const shift = 8 * channel;
    group.append(draw("rect", { x: x + shift, y: y + shift, width, height, fill: "var(--grey)", stroke: "var(--muted)", rx: 2 }));
    if (channels > 1) group.append(draw("text", { x: x + shift + width - 4, y: y + shift + height - 5, "font-size": 11, "text-anchor": "end", fill: "var(--muted)" }, "RGB"[channel]));
  }
  const front = draw("g", { transform: `translate(${x} ${y})` });
  front.append(draw("rect", { width, height, fill: "#000", stroke: "var(--muted)", rx: 2 }), ...ink(digit, width, height));
  if (channels > 1) front.append(draw("text", { x: 5, y: 14, "font-size": 11, fill: "#fff" }, "R"));
  group.append(front);
  return group;
}

// The digit at half its resolution: enough to know it.
function ink(digit, width, height) {
  const marks = [];
  const [w, h] = [(2 * width) / SIDE, (2 * height) / SIDE];
  for (let r = 0; r < SIDE; r += 2) {
    for (let c = 0; c < SIDE; c += 2) {
      const value = Math.max(digit[r * SIDE + c], digit[(r + 1) * SIDE + c + 1]);
      if (value > 40) marks.push(draw("rect", { x: (c * width) / SIDE, y: (r * height) / SIDE, width: w, height: h, fill: "#fff", "shape-rendering": "crispEdges", "fill-opacity": (value / 255).toFixed(2) }));
    }
  }
  return marks;
}

for (let label = 0; label < 10; label++) {
  const button = make("button", { type: "button", textContent: label });
  button.addEventListener("click", () => {
    byId("label").value = label;
    showLabel();
  });
  byId("labels").append(button);
}
for (const id of ["label", "classes", "other"]) byId(id).addEventListener("input", showLabel);
for (const id of [...AXES, "n", "r", "c", "k"]) byId(id).addEventListener("input", showTensor);
for (const one of document.querySelectorAll("input[name=channels]")) one.addEventListener("change", showTensor);
for (const button of document.querySelectorAll("[data-set]")) {
  button.addEventListener("click", () => {
    const shape = button.dataset.set.split(" ");
    AXES.forEach((name, i) => (byId(name).value = shape[i]));
    document.querySelector(`input[name=channels][value="${shape[3]}"]`).checked = true;
    showTensor();
  });
}
byId("mnist").textContent = `${short(sizeOf([60_000, SIDE, SIDE, 1]) / 1e6, 1)} MB`;
showLabel();
showTensor();
