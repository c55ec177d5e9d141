// A port of tfcnn/concepts/parameters.py: how many weights a layer has.

import { asPair } from "lab/windows.js";

// Count a dense layer: weights, and one bias per unit.
export const denseParameters = (inputs, units) => (inputs + 1) * units;

// Count a convolution: the size of the image does not enter.
export function convolutionParameters(kernelSize, inChannels, filters) {
  const [height, width] = asPair(kernelSize);
  return (height * width * inChannels + 1) * filters;
}

// Count a fully connected network from its layer sizes, the inputs first.
export const networkParameters = (sizes) =>
  sizes.slice(1).reduce((sum, units, i) => sum + denseParameters(sizes[i], units), 0);
