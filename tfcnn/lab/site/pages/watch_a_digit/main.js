// Draw a digit, and see what every layer of a network makes of it.

import { asDrawn, centred, DIGIT, openPaper } from "page/drawing.js";
import { showAnswers } from "lab/answers.js";
import { data } from "lab/data.js";
import { byId, make } from "lab/elements.js";
import { LaidOpen } from "lab/laid_open.js";
import { paintPixels } from "lab/maps.js";
import { openNetwork } from "lab/network.js";
import { percent } from "tfcnn/words.js";

const FIRST_DIGIT = 3;
const CLASS_NAMES = Array.from({ length: 10 }, (_, i) => String(i));
const opened = new Map(); // promises of networks, by name
let shown = null; // a LaidOpen
let isWaiting = false;

const paper = openPaper(byId("paper"), soon);

// Once in a frame: a stroke has many points.
function soon() {
  if (isWaiting) return;
  isWaiting = true;
  requestAnimationFrame(() => {
    isWaiting = false;
    update();
  });
}

export async function update() {
  const picture = paper.picture();
  const pixels = byId("centred").checked ? centred(picture) : asDrawn(picture);
  paintPixels(byId("seen"), pixels, [DIGIT, DIGIT, 1]);
  if (!shown) return;
  const probs = await shown.show(pixels);
  if (!probs) return;
  const first = probs.indexOf(Math.max(...probs));
  const isBlank = pixels.every((value) => value === 0);
  byId("answer").textContent = isBlank ? "Nothing is drawn" : `${first}, ${percent(probs[first])}`;
  showAnswers(byId("answers"), probs, CLASS_NAMES);
}

async function choose(name) {
  byId("about").textContent = data.networks[name].about;
  if (!opened.has(name)) opened.set(name, openNetwork(name, data.networks[name].network));
  const network = await opened.get(name);
  if (name !== document.querySelector("[name=network]:checked").value) return; // another was chosen meanwhile
  shown = new LaidOpen(network);
  self.page.shown = shown;
  await update();
}

function offerExamples() {
  byId("examples").append(
    ...data.digits.map(({ label, pixels }) =>
      make("button", { type: "button", textContent: label, onclick: () => {
        paper.put(pixels);
        soon();
      } }),
    ),
  );
}

function offerNetworks() {
  const choices = Object.entries(data.networks).map(([name, { title }], i) => {
    const radio = make("input", { type: "radio", name: "network", value: name, checked: i === 0, onchange: () => choose(name) });
    return make("label", {}, radio, title);
  });
  byId("networks").append(...choices);
}

byId("clear").addEventListener("click", () => {
  paper.clear();
  soon();
});
byId("centred").addEventListener("change", soon);
offerExamples();
offerNetworks();
paper.put(data.digits[FIRST_DIGIT].pixels);
update();
choose(Object.keys(data.networks)[0]);
