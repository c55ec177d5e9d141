// A run laid open: an image of one's own, every layer, and a heat map.

import { showAnswers } from "lab/answers.js";
import { data } from "lab/data.js";
import { byId, make } from "lab/elements.js";
import { LaidOpen } from "lab/laid_open.js";
import { paintPixels } from "lab/maps.js";
import { openNetwork } from "lab/network.js";
import { openBrowserDecoder } from "tfcnn/browser.js";
import { decode, modelPixels } from "tfcnn/decode.js";
import { occlusion } from "tfcnn/heatmap.js";
import { paintMap } from "tfcnn/pictures.js";
import { decide } from "tfcnn/rules.js";
import { Unreadable } from "tfcnn/unreadable.js";
import { percent, visible } from "tfcnn/words.js";

const LEAST_FALL = 0.005; // of a probability: less is no evidence of a place
const { settings, examples } = data;
const { decoder, class_names: names } = settings;
let current = null; // {pixels, place, number}
let number = 0; // of images shown
let asked = 0; // images asked for

const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
for (const probe of settings.probes) probe.bytes = bytesOf(probe.base64);
settings.positive ??= null;

async function start() {
  const network = await openNetwork("own", data.network);
  const laidOpen = new LaidOpen(network);
  self.page.shown = laidOpen;
  const browser = await openBrowserDecoder(settings.probes);

  // Show an image, of bytes or of a promise of them.
  async function take(source, name) {
    const own = ++asked;
    byId("trouble-file").hidden = true;
    try {
      const { image, remark, isExact } = await decode(await source, settings, browser.decode);
      if (own !== asked) return; // a large image is ready after a small one that was chosen later
      await show(modelPixels(image, decoder), [`${name}, ${image.height} \u00d7 ${image.width} px`, remark, isExact ? "" : "decoded a little otherwise than by tfcnn"]);
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      if (own !== asked) return;
      byId("trouble-file").textContent = `${visible(name)}: ${error.reason}`;
      byId("trouble-file").hidden = false;
    }
  }

  async function show(pixels, remarks) {
    const probs = await laidOpen.show(pixels);
    if (!probs) return;
    hideMap();
    const shape = [...decoder.image_size, decoder.channels];
    paintPixels(byId("picture"), pixels, shape);
    byId("picture-text").textContent = `${remarks.filter(Boolean).map(visible).join("; ")}. The network sees ${decoder.image_size.join(" \u00d7 ")} px.`;
    const { decision } = decide(probs, settings.positive, settings.threshold);
    current = { pixels, place: decision, number: ++number };
    byId("answer").textContent = `${visible(names[decision])}, ${percent(probs[decision])}`;
    showAnswers(byId("answers"), probs, names);
    byId("heat").disabled = false;
  }

  function hideMap() {
    byId("heat").setAttribute("aria-pressed", "false");
    byId("map").hidden = true;
    byId("heat-text").textContent = "";
  }

  async function toggleMap() {
    if (byId("heat").getAttribute("aria-pressed") === "true") return hideMap();
    byId("heat").setAttribute("aria-pressed", "true");
    byId("heat-text").textContent = "Greying one part after the other ...";
    const { pixels, place, number: own } = current;
    const look = async (other) => {
      const [answer] = await network.compute(other, [network.answer]);
      return { probs: network.probsOf(answer) };
    };
    const isWanted = () => current.number === own && byId("heat").getAttribute("aria-pressed") === "true";
    const found = await occlusion(pixels, decoder, place, look, isWanted);
    if (found && isWanted()) showMap(found, names[place]);
    return undefined;
  }

  function showMap({ map, highest }, name) {
    const isNone = highest < LEAST_FALL;
    byId("heat-text").textContent = isNone
      ? `No single part matters: whichever is greyed, ${visible(name)} stays as probable.`
      : `Orange: where greying a part lowers the probability of ${visible(name)}, by up to ${percent(highest)}. ` +
        "It shows what the network reacts to, not what is there.";
    if (isNone) return;
    paintMap(byId("map"), map.map((fall) => fall / highest), decoder.image_size);
    byId("map").hidden = false;
  }

  const bytesIn = async (file) => new Uint8Array(await file.arrayBuffer());
  const takeFile = async (file) => file && take(bytesIn(file), file.name);
  for (const id of ["file", "camera"]) {
    byId(id).addEventListener("change", async () => {
      await takeFile(byId(id).files[0]);
      byId(id).value = "";
    });
  }
  document.addEventListener("paste", (event) => takeFile(event.clipboardData.files[0]));
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    byId("drop").classList.add("over");
  });
  document.addEventListener("dragleave", () => byId("drop").classList.remove("over"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    byId("drop").classList.remove("over");
    takeFile(event.dataTransfer.files[0]);
  });
  byId("heat").addEventListener("click", toggleMap);
  byId("examples").append(
    ...examples.files.map((text, i) =>
      make("button", { type: "button", textContent: `Example ${i + 1}`, onclick: () => take(bytesOf(text), examples.what) }),
    ),
  );
  await take(bytesOf(examples.files[0]), examples.what);
}

start();
