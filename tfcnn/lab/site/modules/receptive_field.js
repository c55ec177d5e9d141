// A port of tfcnn/concepts/receptive_field.py: how much of the image one unit of a deep layer sees.

// Return how many px along one axis can change one output of layers `[kernel, stride]`, first first.
export function receptiveField(layers) {
  let [field, spread] = [1, 1];
  for (const [kernel, stride] of layers) {
    field += (kernel - 1) * spread;
    spread *= stride;
  }
  return field;
}
