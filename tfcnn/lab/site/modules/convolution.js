// A port of tfcnn/concepts/convolution.py: a kernel slides over an image, multiplies and sums.

import { layout, outputSize, pads } from "lab/windows.js";

// Slide a kernel over an image. Both are `{shape, values}`: an image (height, width[, channels]),
// a kernel (kernel_height, kernel_width), for each channel by itself, or with channels, a filter,
// or with channels and filters, a layer.
export function convolve2d(image, kernel, stride = 1, padding = "valid") {
  const [height, width, channels = 1] = image.shape;
  const [rows, columns, depth, filters] = kernel.shape;
  if (depth !== undefined && depth !== channels) {
    throw new RangeError(`expected a kernel of ${channels} channels; received ${depth}`);
  }
  const { step, out, before } = layout([height, width], [rows, columns], stride, padding);
  const isByChannel = depth === undefined;
  const last = isByChannel ? channels : (filters ?? 1);
  const values = new Array(out[0] * out[1] * last).fill(0);
  for (let r = 0, at = 0; r < out[0]; r++) {
    for (let c = 0; c < out[1]; c++, at += last) {
      for (let i = 0; i < rows; i++) {
        const y = r * step[0] + i - before[0];
        if (y < 0 || y >= height) continue; // padding: a zero
        for (let j = 0; j < columns; j++) {
          const x = c * step[1] + j - before[1];
          if (x < 0 || x >= width) continue;
          const pixel = (y * width + x) * channels;
          const weight = i * columns + j;
          if (isByChannel) {
            for (let k = 0; k < last; k++) values[at + k] += image.values[pixel + k] * kernel.values[weight];
          } else {
            for (let d = 0; d < channels; d++) {
              const first = (weight * channels + d) * last;
              for (let k = 0; k < last; k++) values[at + k] += image.values[pixel + d] * kernel.values[first + k];
            }
          }
        }
      }
    }
  }
  const hasLast = isByChannel ? image.shape.length === 3 : filters !== undefined;
  return { shape: hasLast ? [...out, last] : out, values };
}

// Return what one output pixel of a 2-D kernel is the sum of: `{row, column, pixel, weight, isPad}`.
export function termsOf(image, kernel, [row, column], stride = 1, padding = "valid") {
  const [height, width] = image.shape;
  const { step, before } = layout([height, width], kernel.shape, stride, padding);
  return kernel.values.map((weight, at) => {
    const y = row * step[0] + Math.floor(at / kernel.shape[1]) - before[0];
    const x = column * step[1] + (at % kernel.shape[1]) - before[1];
    const isPad = y < 0 || y >= height || x < 0 || x >= width;
    return { row: y, column: x, pixel: isPad ? 0 : image.values[y * width + x], weight, isPad };
  });
}

// Slide one filter (kernel_length) or several (kernel_length, filters) along a row of neurons.
export function convolve1d(signal, filters, stride = 1, padding = "valid") {
  const [length] = signal.shape;
  const [size, count] = filters.shape;
  const places = outputSize(length, size, stride, padding);
  const before = pads(length, size, stride, padding)[0];
  const last = count ?? 1;
  const values = new Array(places * last).fill(0);
  for (let p = 0; p < places; p++) {
    for (let i = 0; i < size; i++) {
      const at = p * stride + i - before;
      if (at < 0 || at >= length) continue;
      for (let f = 0; f < last; f++) values[p * last + f] += signal.values[at] * filters.values[i * last + f];
    }
  }
  return { shape: count === undefined ? [places] : [places, count], values };
}

// Return the weights of the fully connected layer that does what one 1-D filter does.
export function connections(length, kernel, stride = 1, padding = "valid") {
  const rows = [];
  for (let neuron = 0; neuron < length; neuron++) {
    const values = new Array(length).fill(0);
    values[neuron] = 1;
    rows.push(convolve1d({ shape: [length], values }, kernel, stride, padding).values);
  }
  return { shape: [length, rows[0].length], values: rows.flat() };
}
