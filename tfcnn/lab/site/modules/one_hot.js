// A port of tfcnn/concepts/one_hot.py: a class is a place in a row of zeros.

// Write a label as a row with a 1 at its place.
export function oneHot(label, numClasses) {
  if (!Number.isInteger(label) || label < 0 || label >= numClasses) {
    throw new RangeError(`expected a whole number from 0 to ${numClasses - 1}; received ${label}`);
  }
  return Array.from({ length: numClasses }, (_, place) => (place === label ? 1 : 0));
}
