// A split that leaks: models trained here on drawn cells of drawn patients.

import { featuresOf } from "page/features.js";
import { MODELS } from "page/models.js";
import { plotMany } from "page/plot.js";
import { randomFrom, shuffled } from "page/random.js";
import { data } from "lab/data.js";
import { byId, make } from "lab/elements.js";
import { part } from "lab/parts.js";
import { colour, onTheme } from "lab/theme.js";
import { percent } from "tfcnn/words.js";

const { side, patients, infected, new_infected: newInfected } = data;
const COUNT = 1 + Math.max(...patients);
const PATIENTS = Array.from({ length: COUNT }, (_, i) => i);
const IN_TEST = 3; // patients
const REPEATS = 40;
const PLACES = { train: "Training", test: "Test", both: "Both" };
const BYTES = side * side * 3;
const COLUMNS = 5; // of a patient's cells
let [pixels, rows, newRows] = [null, [], []];
let seed = 1;
let places = []; // of each patient: "train", "test" or "both"
let order = []; // in which patients move to both

function choosePatients() {
  order = shuffled(PATIENTS, randomFrom(seed * 7919));
  return PATIENTS.map((patient) => (order.indexOf(patient) < IN_TEST ? "test" : "train"));
}

// Return for each cell whether it is in test: every second cell of a patient that is in both.
function testCells() {
  const seen = new Map();
  return patients.map((patient) => {
    const number = seen.get(patient) ?? 0;
    seen.set(patient, number + 1);
    return places[patient] === "test" || (places[patient] === "both" && number % 2 === 1);
  });
}

const modelName = () => document.querySelector("[name=model]:checked").value;
const where = (values, mask, wanted) => values.filter((_, i) => mask[i] === wanted);

// Train on what is not in test; return the accuracy in test, and on new patients.
function measure(isTest, name) {
  const answer = MODELS[name](where(rows, isTest, false), where(infected, isTest, false));
  return [accuracy(answer(where(rows, isTest, true)), where(infected, isTest, true)), accuracy(answer(newRows), newInfected)];
}

const accuracy = (answers, labels) => answers.filter((answer, i) => answer === labels[i]).length / labels.length;

function update() {
  const isTest = testCells();
  const count = isTest.filter(Boolean).length;
  const both = places.filter((place) => place === "both").length;
  byId("both").value = both;
  byId("both-out").textContent = both;
  const problem = count === 0 ? "No cell is in test." : count === isTest.length ? "No cell is in training." : "";
  byId("facts").replaceChildren();
  if (problem) byId("words").textContent = `${problem} Move a patient.`;
  else {
    const [own, fresh] = measure(isTest, modelName());
    const fact = (name, value, isMain) => make("div", { className: isMain ? "is-main" : "" }, make("dt", { textContent: name }), make("dd", { textContent: value }));
    byId("facts").append(
      fact(`Accuracy in test, ${count} cells`, percent(own), true),
      fact(`Accuracy on ${data.new_patients} new patients`, percent(fresh), true),
      fact("Patients in both", `${both} of ${COUNT}`),
    );
    Object.assign(byId("facts").dataset, { test: own, fresh });
    const gap = Math.round(100 * (own - fresh));
    const known = both ? "Some patients of the test are known from training" : "No patient of the test is known from training";
    byId("words").textContent = `${known}. The figure in test is ${gap > 0 ? `${gap} points above` : gap < 0 ? `${-gap} points below` : "as high as"} what new patients get.`;
  }
  drawPatients(isTest);
}

function drawPatients(isTest) {
  for (const patient of PATIENTS) {
    const card = byId(`patient-${patient}`);
    card.classList.toggle("in-both", places[patient] === "both");
    card.querySelector("select").value = places[patient];
    const cells = patients.flatMap((own, i) => (own === patient ? [i] : []));
    drawCells(card.querySelector("canvas"), cells, isTest);
  }
}

function drawCells(canvas, cells, isTest) {
  const [gap, foot] = [4, 6];
  canvas.width = COLUMNS * (side + gap);
  canvas.height = Math.ceil(cells.length / COLUMNS) * (side + gap + foot);
  const context = canvas.getContext("2d");
  cells.forEach((cell, k) => {
    const [x, y] = [(k % COLUMNS) * (side + gap) + 2, Math.floor(k / COLUMNS) * (side + gap + foot) + 2];
    context.fillStyle = colour(isTest[cell] ? "orange" : "blue");
    context.fillRect(x - 2, y - 2, side + 4, side + 4);
    const image = new ImageData(side, side);
    for (let i = 0; i < side * side; i++) {
      for (let c = 0; c < 3; c++) image.data[4 * i + c] = pixels[cell * BYTES + 3 * i + c];
      image.data[4 * i + 3] = 255;
    }
    context.putImageData(image, x, y);
    if (!infected[cell]) return;
    context.fillStyle = colour("ink");
    context.fillRect(x + side / 2 - 2, y + side + 3, 4, 3);
  });
}

function makePatients() {
  byId("patients").append(...PATIENTS.map((patient) => {
    const name = `Patient ${patient + 1}`;
    const choice = make("select", { aria: { label: name }, onchange: (event) => {
      places[patient] = event.target.value;
      update();
    } }, ...Object.entries(PLACES).map(([value, textContent]) => make("option", { value, textContent })));
    const cells = infected.filter((_, i) => patients[i] === patient);
    const sick = cells.filter(Boolean).length;
    return make("div", { className: "patient", id: `patient-${patient}` },
      make("div", { className: "patient-head" }, make("b", { textContent: name }), choice),
      make("canvas", { aria: { role: "img", label: `${cells.length} cells of ${name}, ${sick} of them infected` } }),
    );
  }));
}

// Train on many random splits of both kinds, and show all figures.
async function repeat() {
  byId("repeat").disabled = true;
  const found = { patient: [], image: [], patientNew: [], imageNew: [] };
  for (let i = 0; i < REPEATS; i++) {
    const random = randomFrom(1000 + i);
    const chosen = shuffled(PATIENTS, random).slice(0, IN_TEST);
    const [one, oneNew] = measure(patients.map((patient) => chosen.includes(patient)), modelName());
    const cells = new Set(shuffled(patients.map((_, k) => k), random).slice(0, Math.round(patients.length / 4)));
    const [other, otherNew] = measure(patients.map((_, k) => cells.has(k)), modelName());
    found.patient.push(one);
    found.patientNew.push(oneNew);
    found.image.push(other);
    found.imageNew.push(otherNew);
    byId("verdict").textContent = `${2 * (i + 1)} models ...`;
    if (i % 4 === 3) await new Promise((resume) => setTimeout(resume));
  }
  byId("many").replaceChildren(plotMany(found, byId("many").clientWidth));
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [byPatient, byImage, fresh] = [found.patient, found.image, found.imageNew].map(mean);
  const points = (value) => `${(100 * value).toFixed(1)} points`;
  byId("verdict").textContent =
    `Split by image, test says ${percent(byImage)}: ${points(byImage - fresh)} above what the same models get on new patients (${percent(fresh)}). ` +
    `Split by patient, test says ${percent(byPatient)}.`;
  Object.assign(byId("verdict").dataset, { byPatient, byImage, fresh });
  byId("repeat").disabled = false;
}

async function start() {
  pixels = await part("cohort");
  const all = Array.from({ length: pixels.length / BYTES }, (_, i) => featuresOf(pixels.subarray(i * BYTES, (i + 1) * BYTES)));
  [rows, newRows] = [all.slice(0, patients.length), all.slice(patients.length)];
  places = choosePatients();
  makePatients();
  const set = (change) => () => {
    change();
    update();
  };
  byId("by-patient").addEventListener("click", set(() => (places = choosePatients())));
  byId("by-image").addEventListener("click", set(() => (places = PATIENTS.map(() => "both"))));
  byId("shuffle").addEventListener("click", set(() => {
    seed += 1;
    places = choosePatients();
  }));
  byId("both").addEventListener("input", set(() => {
    const clean = choosePatients();
    const moved = order.slice(0, Number(byId("both").value));
    places = PATIENTS.map((patient) => (moved.includes(patient) ? "both" : clean[patient]));
  }));
  for (const radio of document.querySelectorAll("[name=model]")) radio.addEventListener("change", update);
  byId("repeat").addEventListener("click", repeat);
  onTheme(update);
  update();
}

start();
