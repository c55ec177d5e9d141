// A port of tfcnn/concepts/pooling.py: keep one number per window.

import { asPair, layout } from "lab/windows.js";

const largest = (numbers) => Math.max(...numbers);
const mean = (numbers) => numbers.reduce((sum, value) => sum + value, 0) / numbers.length;

// Keep the largest number of each window; padded places never win.
export const maxPool2d = (image, size = 2, stride = 2, padding = "valid") => pool(image, size, stride, padding, largest);

// Keep the mean of each window; padded places do not count.
export const averagePool2d = (image, size = 2, stride = 2, padding = "valid") => pool(image, size, stride, padding, mean);

function pool(image, size, stride, padding, keep) {
  const [height, width, channels = 1] = image.shape;
  const { box, step, out, before } = layout([height, width], size, stride, padding);
  const values = [];
  for (let r = 0; r < out[0]; r++) {
    for (let c = 0; c < out[1]; c++) {
      for (let k = 0; k < channels; k++) {
        const found = [];
        for (let y = r * step[0] - before[0], i = 0; i < box[0]; i++, y++) {
          for (let x = c * step[1] - before[1], j = 0; j < box[1]; j++, x++) {
            if (y >= 0 && y < height && x >= 0 && x < width) found.push(image.values[(y * width + x) * channels + k]);
          }
        }
        values.push(keep(found));
      }
    }
  }
  return { shape: [...out, ...image.shape.slice(2)], values };
}

// Return the share of the numbers that pooling removes; without an image size, of a large image.
export function removedFraction(size = 2, stride = 2, imageSize = null, padding = "valid") {
  if (imageSize === null) return 1 - 1 / (asPair(stride)[0] * asPair(stride)[1]);
  const { out } = layout(imageSize, size, stride, padding);
  return 1 - (out[0] * out[1]) / (imageSize[0] * imageSize[1]);
}
