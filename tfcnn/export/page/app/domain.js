// Is an image like those the model was trained on? A port of `Domain` in
// tfcnn/prediction/domain.py: two distances, from the usual pixels and the usual features.

import { statistics } from "tfcnn/statistics.js";

const NEIGHBOUR = 5; // counted from 0: the sixth nearest of the training images kept
const LEAST = 1e-12;

// Return both distances on the scale of the threshold, in float32.
//
// `domain` has the arrays of the run's domain.npz, each `{shape, values}`, and `center`, `spread`.
export function distances(domain, pixels, features, { image_size, channels }) {
  const squared = [
    fromPixels(domain, statistics(pixels, image_size, channels)),
    toNeighbours(domain, unitLength(features)),
  ];
  return squared.map((value, part) => {
    const log = Math.fround(0.5 * Math.log(Number.isNaN(value) ? value : Math.max(value, LEAST)));
    const [center, spread] = [domain.center[part], domain.spread[part]].map(Math.fround);
    return Math.fround(Math.fround(log - center) / spread);
  });
}

function fromPixels({ pixel_mean, pixel_scale, pixel_whiten }, values) {
  const scaled = values.map((value, i) => (value - pixel_mean.values[i]) / pixel_scale.values[i]);
  const white = times(scaled, pixel_whiten);
  return white.reduce((sum, value) => sum + value * value, 0) / white.length;
}

function unitLength(features) {
  const length = Math.sqrt(features.reduce((sum, value) => sum + value * value, 0));
  return Array.from(features, (value) => value / Math.max(length, 1e-9));
}

function toNeighbours({ feature_mean, feature_axes, neighbours }, features) {
  const point = times(features.map((value, i) => value - feature_mean.values[i]), feature_axes);
  const [count, axes] = neighbours.shape;
  const squared = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    for (let k = 0; k < axes; k++) squared[i] += (point[k] - neighbours.values[i * axes + k]) ** 2;
  }
  return squared.sort()[Math.min(NEIGHBOUR, count - 1)];
}

// A row times a matrix of `shape` (rows, columns).
function times(row, { shape: [rows, columns], values }) {
  const out = new Float64Array(columns);
  for (let i = 0; i < rows; i++) {
    for (let k = 0; k < columns; k++) out[k] += row[i] * values[i * columns + k];
  }
  return out;
}
