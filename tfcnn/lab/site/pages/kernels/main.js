// Image kernels: what is set, computed and shown.

import { convolve2d, termsOf } from "lab/convolution.js";
import { data } from "lab/data.js";
import { NumberTable } from "lab/number_table.js";
import { byId, chosen, make } from "lab/page.js";
import { largest } from "lab/paint.js";
import { readPicture, startCamera, fromSource } from "lab/pictures.js";
import { fromRows } from "lab/tensor.js";
import { onTheme } from "lab/theme.js";
import { outputSize, pads } from "lab/windows.js";
import { short } from "lab/words.js";
import { KernelEditor } from "page/kernel_editor.js";
import { scene } from "page/scene.js";
import { View } from "page/views.js";

const MOST_PX = 224;
const LEAST_PX = 5; // a side of the largest kernel
const state = { image: null, isSigned: true, kernel: null, at: [0, 0], preset: "slides" };
const input = new View(byId("input"), "The picture", ([row, column]) => pickInput(row, column));
const output = new View(byId("output"), "The result", pick);
const tables = Object.fromEntries(
  ["window", "weights", "products"].map((name) => [name, new NumberTable(byId(name), { label: name })]),
);
const editor = new KernelEditor(byId("kernel"), (kernel) => {
  state.kernel = kernel;
  markPreset(null);
  compute();
});
let endCamera = null;

function setImage(values, shape, isSigned) {
  state.image = { shape, values };
  state.isSigned = isSigned;
  byId("look-field").hidden = isSigned;
  state.at = isSigned ? [1, 1] : shape.map((side) => Math.floor(side / 3));
  compute();
}

function setKernel(name, rows) {
  state.kernel = fromRows(rows);
  editor.set(state.kernel);
  document.querySelector(`input[name=size][value="${rows.length}"]`).checked = true;
  markPreset(name);
  compute();
}

function markPreset(name) {
  for (const button of byId("presets").children) button.setAttribute("aria-pressed", button.dataset.kernel === name);
}

// Compute the result anew: the picture, the kernel, the stride or the padding is another.
function compute() {
  if (!state.image || !state.kernel) return;
  const [stride, padding] = [Number(byId("stride").value), chosen("padding")];
  byId("stride-value").textContent = stride;
  state.result = convolve2d(state.image, state.kernel, stride, padding);
  state.at = state.at.map((place, axis) => Math.min(place, state.result.shape[axis] - 1));
  const [height, width] = state.image.shape;
  const size = state.kernel.shape[0];
  byId("input-size").textContent = `${height} x ${width}`;
  byId("output-size").textContent = state.result.shape.join(" x ");
  byId("size-rule").textContent = sizeRule(height, size, stride, padding);
  const total = state.kernel.values.reduce((sum, weight) => sum + weight, 0);
  byId("kernel-sum").textContent = `The weights sum to ${short(total, 3)}: ${effect(total)}.`;
  show();
}

const effect = (total) =>
  Math.abs(total - 1) < 1e-6 ? "a smooth place keeps its brightness" : Math.abs(total) < 1e-6 ? "a smooth place gives 0" : total > 1 ? "a smooth place gets brighter" : "a smooth place gets darker";

function sizeRule(height, size, stride, padding) {
  const places = outputSize(height, size, stride, padding);
  if (padding === "same") {
    const [before, after] = pads(height, size, stride, padding);
    return `With padding: ${height} / ${stride}, rounded up, is ${places} rows. ${before} rows of zeros are added above and ${after} below.`;
  }
  return `Without padding: (${height} \u2212 ${size}) / ${stride}, rounded down, plus 1 is ${places} rows. The borders are lost.`;
}

function show() {
  const { image, kernel, result, at, isSigned } = state;
  const [stride, padding] = [Number(byId("stride").value), chosen("padding")];
  const terms = termsOf(image, kernel, at, stride, padding);
  const box = [terms[0].row, terms[0].column, ...kernel.shape];
  const isSignedResult = isSigned || chosen("look") === "signed";
  input.show(image, { isSigned, most: isSigned ? 1 : 255, box });
  output.show(result, { isSigned: isSignedResult, most: isSignedResult ? largest(result.values) : 255, box: [...at, 1, 1], at });
  showTerms(terms, isSigned);
}

function showTerms(terms, isSigned) {
  const shape = state.kernel.shape;
  const products = terms.map(({ pixel, weight }) => pixel * weight);
  const marks = (row, column) => (terms[row * shape[1] + column].isPad ? "pad" : "");
  tables.window.show({ shape, values: terms.map(({ pixel }) => pixel) }, { marks, fill: isSigned ? "signed" : "grey", most: isSigned ? 1 : 255 });
  tables.weights.show(state.kernel, { most: largest(state.kernel.values), decimals: 3 });
  tables.products.show({ shape, values: products }, { most: largest(products) });
  const value = products.reduce((sum, product) => sum + product, 0);
  const counted = products.filter((product) => product !== 0).map((product) => short(product));
  const text = counted.length ? counted.join(" + ").replaceAll("+ \u2212", "\u2212 ") : "0";
  byId("sum").replaceChildren(`Row ${state.at[0] + 1}, column ${state.at[1] + 1}: ${text} = `, make("b", { textContent: short(value) }));
  const clipped = Math.min(255, Math.max(0, Math.round(value)));
  byId("clip").textContent = isSigned || chosen("look") === "signed" || clipped === Math.round(value) ? "" : `A photo has no such brightness: it shows ${clipped}.`;
}

function pick(at) {
  state.at = at;
  show();
}

// A pixel of the picture: the window whose middle is nearest.
function pickInput(row, column) {
  const [stride, padding] = [Number(byId("stride").value), chosen("padding")];
  const size = state.kernel.shape[0];
  const places = [row, column].map((place, axis) => {
    const before = pads(state.image.shape[axis], size, stride, padding)[0];
    return Math.round((place - (size - 1) / 2 + before) / stride);
  });
  pick(places.map((place, axis) => Math.max(0, Math.min(state.result.shape[axis] - 1, place))));
}

const PICTURES = {
  slides: () => setImage(data.slideImage.flat(), [6, 6], true),
  digit: () => setImage(data.digit, [28, 28], false),
  scene: () => setPicture(scene()),
};

const setPicture = ({ grey, height, width }) => setImage(grey, [height, width], false);

function choosePicture(name) {
  if (name !== "camera") stopCamera();
  for (const button of document.querySelectorAll("[data-picture]")) {
    button.setAttribute("aria-pressed", button.dataset.picture === name);
  }
  if (PICTURES[name]) PICTURES[name]();
}

function say(text) {
  byId("camera-note").hidden = !text;
  byId("camera-note").textContent = text;
}

// Stop the camera, or else its next frame would replace the picture.
function stopCamera() {
  if (!endCamera) return;
  endCamera();
  endCamera = null;
  byId("video").hidden = true;
  byId("camera").textContent = "Camera";
}

async function toggleCamera() {
  const video = byId("video");
  if (endCamera) {
    stopCamera();
    return;
  }
  try {
    endCamera = await startCamera(video);
  } catch (error) {
    say(`The camera cannot be used here: ${error.message}. Try a photo instead.`);
    return;
  }
  say("");
  choosePicture("camera");
  byId("camera").textContent = "Stop the camera";
  const look = () => {
    if (!endCamera) return;
    setFrame(video);
    setTimeout(look, 120);
  };
  look();
}

function setFrame(video) {
  const at = state.at;
  const isFirst = state.isSigned;
  const picture = fromSource(video, video.videoWidth, video.videoHeight, 160);
  state.image = { shape: [picture.height, picture.width], values: picture.grey };
  state.isSigned = false;
  byId("look-field").hidden = false;
  state.at = isFirst ? [40, 40] : at;
  compute();
}

async function takePhoto({ target }) {
  const [file] = target.files;
  target.value = "";
  if (!file) return;
  let picture = null;
  try {
    picture = await readPicture(file, MOST_PX);
  } catch {
    say(`${file.name}: expected a picture that this browser can read; try a PNG or a JPEG.`);
    return;
  }
  if (Math.min(picture.height, picture.width) < LEAST_PX) {
    say(`${file.name}: expected a picture of at least ${LEAST_PX} x ${LEAST_PX} px; received ${picture.height} x ${picture.width}; try a larger one.`);
    return;
  }
  say("");
  choosePicture("photo");
  setPicture(picture);
}

// Put a kernel of another size around the old one, or take its middle.
function resize(size) {
  const { shape: [old], values } = state.kernel;
  if (old === size) return;
  const shift = (size - old) / 2;
  const at = (row, column) => (row < 0 || column < 0 || row >= old || column >= old ? 0 : values[row * old + column]);
  const rows = Array.from({ length: size }, (_, r) => Array.from({ length: size }, (_, c) => at(r - shift, c - shift)));
  setKernel(null, rows);
}

const presets = { slides: data.slideFilter, ...data.kernels };
for (const [name, rows] of Object.entries(presets)) {
  const words = name === "slides" ? "the slides' filter" : name.replace(/_5$/, " 5 x 5").replace("_", " ");
  const button = make("button", { type: "button", textContent: words });
  button.dataset.kernel = name;
  button.addEventListener("click", () => setKernel(name, rows));
  byId("presets").append(button);
}
for (const button of document.querySelectorAll("[data-picture]")) {
  button.addEventListener("click", () => choosePicture(button.dataset.picture));
}
byId("photo").addEventListener("change", takePhoto);
byId("camera").addEventListener("click", toggleCamera);
byId("stride").addEventListener("input", compute);
for (const name of ["padding", "look"]) {
  for (const one of document.querySelectorAll(`input[name=${name}]`)) one.addEventListener("change", compute);
}
for (const one of document.querySelectorAll("input[name=size]")) one.addEventListener("change", () => resize(Number(one.value)));
onTheme(show);
setKernel("slides", data.slideFilter);
choosePicture("slides");
