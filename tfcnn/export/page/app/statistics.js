// What is usual or not about an image's pixels: a port of `statistics` in
// tfcnn/prediction/domain.py, in float64.

import { roundHalfEven } from "tfcnn/numbers.js";

const GRID = 24; // about so many rows and columns of pixels are looked at
const COLOUR_FLOOR = 0.003;
const CONTRAST_FLOOR = 0.01;
const QUANTILES = [0.05, 0.25, 0.5, 0.75, 0.95];

// Return 13 numbers per channel, and 6 more for colour, in the order of the Python function.
export function statistics(pixels, [height, width], channels) {
  const step = Math.max(1, Math.floor(Math.min(height, width) / GRID));
  const rows = Math.ceil((height - 2) / step);
  const columns = Math.ceil((width - 2) / step);
  const grid = (channel, down, across) => {
    const values = new Float64Array(rows * columns);
    for (let y = 0; y < rows; y++) {
      for (let x = 0; x < columns; x++) {
        const place = ((y * step + down) * width + x * step + across) * channels + channel;
        values[y * columns + x] = Math.fround(pixels[place] / 255);
      }
    }
    return values;
  };
  const grids = Array.from({ length: channels }, (_, c) => [grid(c, 0, 0), grid(c, 0, 1), grid(c, 1, 0), grid(c, 0, 2)]);
  const zones = zoneWeights(rows, columns);
  const parts = grids.map((one) => ofChannel(one, zones));
  const keys = ["means", "spreads", "quantiles", "contrast", "curvature"];
  const all = keys.flatMap((key) => parts.flatMap((part) => part[key]));
  return channels === 3 ? [...all, ...hues(grids.map(([values]) => values))] : all;
}

const mean = (count, valueAt) => {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += valueAt(i);
  return sum / count;
};

function ofChannel([values, right, below, farRight], zones) {
  const count = values.length;
  const across = mean(count, (i) => Math.abs(right[i] - values[i]));
  const down = mean(count, (i) => Math.abs(below[i] - values[i]));
  const curved = mean(count, (i) => Math.abs(farRight[i] + values[i] - 2 * right[i]));
  const means = zones.map((weights) => weighted(values, weights));
  const squares = zones.map((weights) => weighted(values.map((value) => value * value), weights));
  const sorted = values.slice().sort();
  return {
    means,
    spreads: means.map((value, i) => Math.sqrt(Math.max(squares[i] - value * value, 0))),
    quantiles: QUANTILES.map((share) => sorted[roundHalfEven(share * (count - 1))]),
    contrast: [Math.log(across + down + CONTRAST_FLOOR)],
    curvature: [curved / (across + CONTRAST_FLOOR)],
  };
}

function weighted(values, weights) {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] * weights[i];
  return sum;
}

const known = new Map(); // zones of a size, which are those of every image of a model

function zoneWeights(rows, columns) {
  const key = `${rows} ${columns}`;
  if (!known.has(key)) known.set(key, makeZones(rows, columns));
  return known.get(key);
}

// Weights of the middle, the ring about it and the corners.
function makeZones(rows, columns) {
  const radius = (y, x) =>
    Math.hypot((2 * (y - (rows - 1) / 2)) / rows, (2 * (x - (columns - 1) / 2)) / columns);
  const kinds = [(r) => r < 0.5, (r) => r >= 0.5 && r < 0.9, (r) => r >= 1.1];
  return kinds.map((isIn) => {
    const marks = Float64Array.from({ length: rows * columns }, (_, i) =>
      isIn(radius(Math.floor(i / columns), i % columns)) ? 1 : 0,
    );
    const count = marks.reduce((sum, mark) => sum + mark, 0);
    return marks.map((mark) => mark / count);
  });
}

// Red and blue against green: their means, spreads and strengths.
function hues([red, green, blue]) {
  const both = [red, blue].map((values) => {
    const against = values.map((value, i) => value - green[i]);
    const middle = mean(against.length, (i) => against[i]);
    const spread = Math.sqrt(mean(against.length, (i) => (against[i] - middle) ** 2));
    const strength = mean(against.length, (i) => Math.abs(against[i]));
    return [middle, Math.log(spread + COLOUR_FLOOR), Math.log(strength + COLOUR_FLOOR)];
  });
  return [0, 1, 2].flatMap((place) => both.map((one) => one[place]));
}
