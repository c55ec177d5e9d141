// A file goes to a service, and its answer is a row: what predictor.js says, with another computer.

import { openBrowserDecoder } from "tfcnn/browser.js";
import { decode } from "tfcnn/decode.js";
import { ask, openService } from "tfcnn/service.js";
import { NOTHING, unreadable } from "tfcnn/unreadable.js";
import { visible } from "tfcnn/words.js";

const AT_ONCE = 4; // requests: enough to keep a service busy, and far from its bound
const READ_BY_TFCNN = 400; // such statuses speak of the file, others of the service

export async function openPredictor() {
  await openService();
  const settings = JSON.parse(document.getElementById("settings").textContent);
  const browser = await openBrowserDecoder([]);
  const predict = async (path, bytes) => {
    const [row, image] = await Promise.all([
      answer(path, bytes, settings),
      picture(bytes, settings, browser.decode),
    ]);
    return { ...row, image };
  };
  const explain = settings.service.draws ? (asked) => heatMap(asked, settings) : null;
  const failed = new Set(); // the service decodes, whatever this browser does
  const predictor = { predict, explain, decodePhotograph: browser.decode, failed, atOnce: AT_ONCE };
  return { settings, predictor };
}

async function answer(path, bytes, settings) {
  const { most_bytes: most, too_large: tooLarge } = settings.service;
  if (bytes.length > most) return unreadable(path, tooLarge); // it would not be read to its end
  const { status, content } = await ask("v1/predict", () => ({ method: "POST", body: body(path, bytes) }), settings);
  if (content.predictions) return rowOf(path, content.predictions[0], settings.class_names);
  if (Math.floor(status / 100) * 100 === READ_BY_TFCNN && status !== 408) return unreadable(path, content.error);
  return { ...NOTHING, path, flag: "no-answer", reason: `${content.error} (status ${status})` };
}

function body(path, bytes) {
  const form = new FormData();
  form.append("images", new Blob([bytes]), path);
  return form;
}

function rowOf(path, { predicted, probs, decision, flag, reason, remark = "", group = "" }, names) {
  const row = { ...NOTHING, path, predicted, decision, flag, reason, remark, group };
  return predicted ? { ...row, probs: names.map((name) => Math.fround(probs[name])) } : row;
}

// The picture for the table, where this browser can read the file; the service may read others.
async function picture(bytes, settings, byBrowser) {
  try {
    return (await decode(bytes, settings, byBrowser)).image;
  } catch {
    return null;
  }
}

async function heatMap({ row, place, isWanted }, settings) {
  const bytes = new Uint8Array(await row.file.arrayBuffer());
  const request = () => ({ method: "POST", body: body(row.path, bytes) });
  const { content } = await ask("v1/predict?heat_map=true", request, settings);
  const map = content.predictions?.[0].heat_map;
  if (!isWanted()) return null;
  if (!map) return { paint: null, text: `The service draws none: ${content.error ?? "no map came"}` };
  const png = Uint8Array.from(atob(map.split(",")[1]), (letter) => letter.charCodeAt(0));
  const bitmap = await createImageBitmap(new Blob([png], { type: "image/png" }));
  const paint = (canvas) => {
    [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
  };
  const name = visible(settings.class_names[place]);
  const text =
    `From purple to yellow: where the network finds evidence for ${name}, over the picture in grey. ` +
    "It shows what the model reacts to, not what is there.";
  return { paint, text };
}
