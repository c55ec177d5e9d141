// Numbers with a shape, row after row, as NumPy lays them out: `{shape, values}`.

// Return the number of values of a shape.
export const sizeOf = (shape) => shape.reduce((product, side) => product * side, 1);

// Return a tensor of 0 (or of `fill`).
export const filled = (shape, fill = 0) => ({ shape, values: new Array(sizeOf(shape)).fill(fill) });

// Return rows of numbers, such as [[1, 2], [3, 4]], as a tensor.
export function fromRows(rows) {
  const shape = [];
  for (let level = rows; Array.isArray(level); level = level[0]) shape.push(level.length);
  return { shape, values: rows.flat(shape.length) };
}

// A port of tfcnn/concepts/dense.py: an image as one row of numbers.
export const flatten = ({ shape, values }) => ({ shape: [sizeOf(shape)], values: [...values] });
