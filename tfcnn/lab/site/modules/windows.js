// A port of tfcnn/concepts/windows.py: how a window moves over an image.

// Return how many places a window takes along one axis.
export function outputSize(size, kernelSize, stride = 1, padding = "valid") {
  for (const value of [size, kernelSize, stride]) {
    if (!Number.isInteger(value) || value < 1) throw new RangeError(`expected a whole number from 1; received ${value}`);
  }
  if (padding === "same") return Math.ceil(size / stride);
  if (padding !== "valid") throw new RangeError(`expected "valid" or "same"; received ${padding}`);
  if (kernelSize > size) throw new RangeError(`expected a window of at most ${size} px; received ${kernelSize}`);
  return Math.floor((size - kernelSize) / stride) + 1;
}

// Return how many px are added before and after one axis; an odd one goes after.
export function pads(size, kernelSize, stride = 1, padding = "valid") {
  const places = outputSize(size, kernelSize, stride, padding);
  if (padding === "valid") return [0, 0];
  const total = Math.max((places - 1) * stride + kernelSize - size, 0);
  return [Math.floor(total / 2), total - Math.floor(total / 2)];
}

export const asPair = (value) => (Array.isArray(value) ? value : [value, value]);

// Return how a window moves over an image of this height and width.
export function layout([height, width], size, stride, padding) {
  const [box, step] = [asPair(size), asPair(stride)];
  const sides = [height, width];
  return {
    box,
    step,
    out: sides.map((side, axis) => outputSize(side, box[axis], step[axis], padding)),
    before: sides.map((side, axis) => pads(side, box[axis], step[axis], padding)[0]),
  };
}
