// A PNG's samples as 8-bit grey, RGB or RGBA, as THE decoder (tfcnn/decode) makes them.

import { Unreadable } from "tfcnn/unreadable.js";

// Return `{width, height, channels, data}` with 1, 3 or 4 channels; 4 only where it is not opaque.
export function eightBits(png) {
  const { width, height, colourType, depth } = png;
  let image;
  if (colourType === 3) image = fromPalette(png);
  else {
    const key = transparentColour(png);
    const reduced = { width, height, channels: png.channels, data: reduce(png) };
    image = key ? withKey(reduced, png, key) : reduced;
    if (image.channels === 2) image = greyAlphaAsRgba(image);
  }
  return image.channels === 4 && isOpaque(image) ? withoutAlpha(image) : image;
}

// 16 bits are scaled to 8, rounded: 65535 / 257 = 255. Grey of few bits is stretched to 0..255.
function reduce({ samples, depth, colourType }) {
  if (depth === 16) return Uint8Array.from(samples, (value) => Math.floor((value + 128) / 257));
  if (depth === 8 || colourType === 3) return samples;
  const factor = 255 / (2 ** depth - 1);
  return samples.map((value) => value * factor);
}

// The one colour that is transparent, in the samples' own numbers; null where there is none.
function transparentColour({ transparency, channels, depth }) {
  if (!transparency || channels === 2 || channels === 4) return null;
  if (transparency.length < 2 * channels) {
    throw new Unreadable("a PNG image, damaged or cut short: its chunk tRNS is cut short");
  }
  const values = Array.from({ length: channels }, (_, i) => (transparency[2 * i] << 8) | transparency[2 * i + 1]);
  if (depth === 16) return values;
  if (channels === 3) return values.map((value) => value & 255);
  if (depth === 1) return [values[0] ? 1 : 0];
  const most = 2 ** depth - 1; // Pillow compares after scaling, in one byte
  return [(Math.floor((values[0] * 255) / most) & 255) / (255 / most)];
}

function withKey({ width, height, channels, data }, { samples }, key) {
  const out = new Uint8Array(width * height * 4);
  for (let i = 0; i < width * height; i++) {
    let isClear = true;
    for (let c = 0; c < 3; c++) {
      const from = i * channels + (channels === 1 ? 0 : c);
      out[4 * i + c] = data[from];
      isClear &&= samples[from] === key[channels === 1 ? 0 : c];
    }
    out[4 * i + 3] = isClear ? 0 : 255;
  }
  return { width, height, channels: 4, data: out };
}

function fromPalette({ width, height, samples, palette, transparency }) {
  const channels = transparency ? 4 : 3;
  const data = new Uint8Array(width * height * channels);
  for (let i = 0; i < samples.length; i++) {
    const index = samples[i];
    for (let c = 0; c < 3; c++) data[i * channels + c] = palette?.[3 * index + c] ?? 0;
    if (transparency) data[4 * i + 3] = transparency[index] ?? 255;
  }
  return { width, height, channels, data };
}

function greyAlphaAsRgba({ width, height, data }) {
  const out = new Uint8Array(width * height * 4);
  for (let i = 0; i < width * height; i++) {
    out.fill(data[2 * i], 4 * i, 4 * i + 3);
    out[4 * i + 3] = data[2 * i + 1];
  }
  return { width, height, channels: 4, data: out };
}

function isOpaque({ data }) {
  for (let i = 3; i < data.length; i += 4) if (data[i] !== 255) return false;
  return true;
}

function withoutAlpha({ width, height, data }) {
  const out = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) out[3 * i + c] = data[4 * i + c];
  }
  return { width, height, channels: 3, data: out };
}
