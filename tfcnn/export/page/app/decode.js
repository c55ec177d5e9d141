// THE decoder of tfcnn in JavaScript: the bytes of a file become the pixels that the model takes.

import { flat, inChannels } from "tfcnn/background.js";
import { fitted } from "tfcnn/fit.js";
import { kindOf } from "tfcnn/kinds.js";
import { orientationOfPng } from "tfcnn/exif.js";
import { eightBits } from "tfcnn/png_colours.js";
import { readPng } from "tfcnn/png.js";
import { Unreadable } from "tfcnn/unreadable.js";
import { upright } from "tfcnn/upright.js";

const MOST_PIXELS = 1e8;
const MOST_SIDE = 1e5; // px

// Return `{image, remark, isExact}`: the upright image of 8 bits, what is not seen of the file, and
// whether this browser decodes it to the very pixels that tfcnn does.
//
// `byBrowser(bytes, name)` decodes what only a browser can.
export async function decode(bytes, settings, byBrowser) {
  const kind = kindOf(bytes, settings.kinds);
  if (!kind) throw new Unreadable("no image format that is read", "saving it as PNG, or removing it");
  if (kind.name === "a PNG image") return decodePng(bytes);
  if (kind.isPhotograph) {
    const decoded = await byBrowser(bytes, kind);
    return { ...decoded, isExact: decoded.isExact && !isReduced(kind, decoded.image, settings.decoder) };
  }
  if (kind.isRead) {
    const hint = "saving it as PNG, or `tfcnn predict`";
    throw new Unreadable(`${kind.name}, which this page does not read`, hint);
  }
  throw new Unreadable(kind.name, kind.hint);
}

// tfcnn reads a JPEG at a part of its size where this leaves twice what the model takes
// (`tfcnn/decode/dct.py`); a browser reads all of it, which gives slightly other pixels.
function isReduced(kind, { width, height }, decoder) {
  if (kind.name !== "a JPEG image" || !(decoder?.version > 1)) return false;
  const [rows, columns] = decoder.image_size;
  return Math.min(height / (2 * rows), width / (2 * columns)) >= 2;
}

export function decodePng(bytes) {
  const png = readPng(bytes, refuseLarge);
  const image = upright(eightBits(png), orientationOfPng(png));
  const remark = png.frames > 1 ? `several frames, of which only the first is read: ${png.frames}` : "";
  return { image, remark, isExact: true };
}

// Return uint8 `(height, width, channels)` of the model's input.
export function modelPixels(image, decoder) {
  const colours = inChannels(flat(image, decoder.background), decoder.channels);
  return Uint8Array.from(fitted(colours, decoder).data);
}

// Return what of a picture cannot be seen because of its transparency, mostly "".
export function vanishing(image, background) {
  if (image.channels !== 4) return "";
  const alpha = extent(image, 3);
  if (alpha[1] === 0) return "nothing but transparent pixels";
  const shown = flat(image, background);
  const contrast = Math.max(...[0, 1, 2].map((c) => extent(shown, c)).map(([low, high]) => high - low));
  if (contrast * 16 > alpha[1] - alpha[0]) return "";
  return `a drawing that vanishes over ${background}, which this model's images lie on`;
}

function extent({ data, channels }, channel) {
  let [low, high] = [255, 0];
  for (let i = channel; i < data.length; i += channels) {
    low = Math.min(low, data[i]);
    high = Math.max(high, data[i]);
  }
  return [low, high];
}

export function refuseLarge(width, height) {
  if (width * height <= MOST_PIXELS && Math.max(width, height) <= MOST_SIDE) return;
  const size = `${height} x ${width} px (height x width)`;
  throw new Unreadable(`an image too large: ${size}, over ${MOST_PIXELS / 1e6} megapixels`, "making it smaller");
}
