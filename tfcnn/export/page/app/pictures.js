// Pictures on a canvas: an image, and a heat map over it.

import { flat, inChannels } from "tfcnn/background.js";
import { resize } from "tfcnn/resample.js";

// Return an image at most `most` px a side, in RGB, small enough to keep for each row.
export function thumbnail(image, background, most) {
  const colours = inChannels(flat(image, background), 3);
  const scale = Math.min(1, most / Math.max(colours.width, colours.height));
  const side = (px) => Math.max(1, Math.round(px * scale));
  return resize(colours, side(colours.height), side(colours.width), false);
}

export function paint(canvas, { width, height, data }) {
  canvas.width = width;
  canvas.height = height;
  const rgba = new Uint8ClampedArray(width * height * 4).fill(255);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) rgba[4 * i + c] = data[3 * i + c];
  }
  canvas.getContext("2d").putImageData(new ImageData(rgba, width, height), 0, 0);
  return canvas;
}

// Paint a map in [0, 1] of the model's input: from clear to orange, stretched over the picture.
export function paintMap(canvas, shares, [height, width]) {
  canvas.width = width;
  canvas.height = height;
  const rgba = new Uint8ClampedArray(width * height * 4);
  shares.forEach((share, i) => rgba.set([255, 106, 0, Math.round(200 * Math.max(0, share))], 4 * i));
  canvas.getContext("2d").putImageData(new ImageData(rgba, width, height), 0, 0);
}
