// What a probability means: calibration, temperature and threshold of val's answers.

import { plotHistogram, plotReliability } from "page/plots.js";
import { applyTemperature, confusion, ece, logLoss, reliability } from "lab/calibration.js";
import { data } from "lab/data.js";
import { byId, make } from "lab/elements.js";
import { percent, visible } from "tfcnn/words.js";

const { labels, probs, positive, class_names: names } = data;
const fact = (name, value, isMain = false) =>
  make("div", { className: isMain ? "is-main" : "" }, make("dt", { textContent: name }), make("dd", { textContent: value }));
const share = (part, whole) => (whole ? percent(part / whole) : "none");

const temperature = () => 2 ** Number(byId("temperature").value);

function setTemperature(value) {
  byId("temperature").value = Math.log2(value);
  update();
}

function update() {
  const own = applyTemperature(probs, temperature());
  byId("temperature-out").textContent = temperature().toFixed(2);
  const rows = reliability(labels, own, positive);
  const what = positive === null ? "the answer" : visible(names[positive]);
  byId("reliability").replaceChildren(plotReliability(rows, what));
  const right = own.filter((row, i) => row.indexOf(Math.max(...row)) === labels[i]).length;
  byId("calibration-facts").replaceChildren(
    fact("ECE", percent(ece(rows)), true),
    fact("Log loss", logLoss(labels, own).toFixed(4)),
    fact("Right", share(right, labels.length)),
  );
  if (positive !== null) updateThreshold(own);
}

function updateThreshold(own) {
  const threshold = Number(byId("threshold").value);
  byId("threshold-out").textContent = percent(threshold);
  byId("histogram").replaceChildren(plotHistogram(labels, own, positive, threshold, names.map(visible), byId("histogram").clientWidth));
  const { hits, misses, alarms, clear } = confusion(labels, own, positive, threshold);
  const [yes, no] = [names[positive], names[1 - positive]].map(visible);
  const cell = (count, isRight) => make("td", { className: `count ${isRight ? "right" : "wrong"}`, textContent: count });
  const head = (text, scope) => make("th", { scope, textContent: text });
  byId("confusion").replaceChildren(
    make("caption", { textContent: "What the images are, and what they are called" }),
    make("thead", {}, make("tr", {}, make("td"), head(`called ${yes}`, "col"), head(`called ${no}`, "col"))),
    make("tbody", {},
      make("tr", {}, head(yes, "row"), cell(hits, true), cell(misses, false)),
      make("tr", {}, head(no, "row"), cell(alarms, false), cell(clear, true)),
    ),
  );
  byId("threshold-facts").replaceChildren(
    fact(`Sensitivity: of ${yes}, found`, share(hits, hits + misses), true),
    fact(`Specificity: of ${no}, left alone`, share(clear, clear + alarms), true),
    fact(`PPV: of those called ${yes}, right`, share(hits, hits + alarms)),
    fact("Accuracy", share(hits + clear, labels.length)),
  );
}

function start() {
  byId("temperature").addEventListener("input", update);
  byId("threshold").addEventListener("input", update);
  addEventListener("resize", update);
  byId("fitted").addEventListener("click", () => setTemperature(1));
  byId("raw").textContent = `As they were before (${(1 / data.temperature).toFixed(2)})`;
  byId("raw").addEventListener("click", () => setTemperature(1 / data.temperature));
  if (positive === null) {
    const text = "This run has no positive class: it has no threshold, and the most probable class is its answer.";
    byId("threshold-text").textContent = text;
    for (const part of byId("threshold-section").querySelectorAll(".field, .plot, .halves, .try")) part.hidden = true;
  } else {
    const name = visible(names[positive]);
    byId("threshold").value = data.threshold;
    byId("threshold-text").textContent = `An image is called ${name} from this probability on. What is missed and what is called in vain change with it; the network stays the same.`;
  }
  update();
}

start();
