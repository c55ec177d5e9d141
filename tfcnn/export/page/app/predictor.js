// A file becomes a prediction, as tfcnn/prediction/predictor.py makes it.

import { decode, modelPixels, vanishing } from "tfcnn/decode.js";
import { openBrowserDecoder } from "tfcnn/browser.js";
import { distances } from "tfcnn/domain.js";
import { openModel } from "tfcnn/engine.js";
import { decide, flagOf } from "tfcnn/rules.js";
import { occlusion } from "tfcnn/heatmap.js";
import { paintMap } from "tfcnn/pictures.js";
import { readSettings } from "tfcnn/settings.js";
import { part } from "tfcnn/unpack.js";
import { NOTHING, Unreadable, unreadable } from "tfcnn/unreadable.js";
import { visible } from "tfcnn/words.js";

const LEAST_FALL = 0.005; // of a probability: less is no evidence of a place

// What computes the predictions of the page: here the model in it, in service_predictor.js a service.
//
// Return `{settings, predictor}`: the rules of the run, and
//   `predict(path, bytes)`   a row of the table, with the picture where this browser has it;
//   `explain(asked)`         `{paint, text}` of a heat map, or null where nobody waits for it any more;
//                            `asked` is {row, pixels, place, isWanted}, of the model's input;
//   `decodePhotograph`       what only a browser can decode;
//   `failed`                 the kinds that this browser decodes to other pixels than tfcnn;
//   `atOnce`                 images that may be in work at a time.
export async function openPredictor() {
  const settings = await readSettings();
  const [runtime, wasm, model] = await Promise.all(["runtime", "wasm", "model"].map(part));
  const shape = [...settings.decoder.image_size, settings.decoder.channels];
  const run = await openModel({ runtime, wasm, model }, shape);
  const browser = await openBrowserDecoder(settings.probes);
  const look = async (pixels) => {
    const { probs, features } = await run(pixels);
    return { probs: Array.from(probs), features };
  };
  const predict = async (path, bytes) => {
    try {
      const decoded = await decode(bytes, settings, browser.decode);
      return { ...(await answer(path, decoded, settings, look)), image: decoded.image };
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      return unreadable(path, error.reason);
    }
  };
  const explain = (asked) => explained(asked, settings, look);
  const predictor = { predict, look, explain, decodePhotograph: browser.decode, failed: browser.failed, atOnce: 1 };
  return { settings, predictor };
}

async function explained({ pixels, place, isWanted }, { decoder, class_names: names }, look) {
  const found = await occlusion(pixels, decoder, place, look, isWanted);
  if (!found) return null;
  const { map, highest } = found;
  const name = visible(names[place]);
  if (highest < LEAST_FALL) {
    return { paint: null, text: `No single part matters: whichever is greyed, ${name} stays as probable.` };
  }
  const paint = (canvas) => paintMap(canvas, map.map((fall) => fall / highest), decoder.image_size);
  const text =
    `Orange: where greying a part lowers the probability of ${name}, by up to ` +
    `${(100 * highest).toFixed(1)} points. It shows what the model reacts to, not what is there.`;
  return { paint, text };
}

async function answer(path, { image, remark, isExact }, settings, look) {
  const { decoder, domain, class_names: names } = settings;
  const pixels = modelPixels(image, decoder);
  const { probs, features } = await look(pixels);
  const far = domain && distances(domain, pixels, features, decoder);
  const { flag, reason } = flagOf(probs, far, isExact, settings);
  const remarks = [remark, vanishing(image, decoder.background)].filter(Boolean).join("; ");
  const none = { ...NOTHING, path, flag, reason, remark: remarks };
  if (!probs.every(Number.isFinite)) return none;
  const { predicted, decision } = decide(probs, settings.positive, settings.threshold);
  return { ...none, predicted: names[predicted], probs, decision: names[decision], far };
}
