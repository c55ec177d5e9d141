// What a small model gets of a cell, instead of its pixels.

const LEAST_LIGHT = 60; // sum of a pixel's colours: darker is the black around the cell
const DARKEST = 8; // pixels
const DARK = -60; // below the cell's mean, summed over colours

// Return 11 numbers of a cell's uint8 pixels, `(pixels, 3)`.
export function featuresOf(pixels) {
  const inside = [];
  for (let i = 0; i < pixels.length; i += 3) {
    const colours = [pixels[i], pixels[i + 1], pixels[i + 2]];
    if (colours[0] + colours[1] + colours[2] > LEAST_LIGHT) inside.push(colours);
  }
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const means = [0, 1, 2].map((c) => mean(inside.map((colours) => colours[c])));
  const spreads = means.map((middle, c) => Math.sqrt(mean(inside.map((colours) => (colours[c] - middle) ** 2))));
  const lowest = (values) => mean(values.sort((one, other) => one - other).slice(0, DARKEST));
  const darkest = means.map((middle, c) => lowest(inside.map((colours) => colours[c] - middle)));
  const tints = inside.map(([, green, blue]) => green - blue);
  const purple = mean(tints) - lowest(tints.slice());
  const dark = mean(inside.map((colours) => (colours.reduce((sum, value, c) => sum + value - means[c], 0) < DARK ? 1 : 0)));
  return [...means, ...spreads, ...darkest, purple, dark];
}
