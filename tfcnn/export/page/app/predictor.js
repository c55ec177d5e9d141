// A file becomes a prediction, as tfcnn/prediction/predictor.py makes it.

import { decode, modelPixels, vanishing } from "tfcnn/decode.js";
import { openBrowserDecoder } from "tfcnn/browser.js";
import { distances } from "tfcnn/domain.js";
import { openModel } from "tfcnn/engine.js";
import { decide, flagOf, UNREADABLE } from "tfcnn/rules.js";
import { part } from "tfcnn/unpack.js";
import { Unreadable } from "tfcnn/unreadable.js";

const NOTHING = { predicted: "", probs: null, decision: "", reason: "", remark: "" };

// Return `{predict, look, decodePhotograph, failed}`: `predict(path, bytes)` gives a prediction and
// the picture;
// `look(pixels)` the probabilities of the model's input; `failed` the kinds that this browser
// decodes otherwise.
export async function openPredictor(settings) {
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
  return { predict, look, decodePhotograph: browser.decode, failed: browser.failed };
}

export const unreadable = (path, reason) => ({ ...NOTHING, path, flag: UNREADABLE, reason });

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
