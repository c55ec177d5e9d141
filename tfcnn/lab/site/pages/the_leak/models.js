// Two small models. Each is trained on rows of features and labels 0 or 1, and returns a function
// from rows to labels. Features are scaled by what training alone shows.

const STEPS = 200; // of gradient descent
const RATE = 0.3;
const DECAY = 0.003;

function scaler(rows) {
  const columns = rows[0].map((_, k) => {
    const mean = rows.reduce((sum, row) => sum + row[k], 0) / rows.length;
    const variance = rows.reduce((sum, row) => sum + (row[k] - mean) ** 2, 0) / rows.length;
    return [mean, Math.sqrt(variance) + 1e-9];
  });
  return (row) => row.map((value, k) => (value - columns[k][0]) / columns[k][1]);
}

// The label of the cell that is most alike.
export function nearest(rows, labels) {
  const scale = scaler(rows);
  const known = rows.map(scale);
  return (others) =>
    others.map(scale).map((row) => {
      let [best, least] = [0, Infinity];
      known.forEach((one, i) => {
        let distance = 0;
        for (let k = 0; k < row.length && distance < least; k++) distance += (one[k] - row[k]) ** 2;
        if (distance < least) [best, least] = [i, distance];
      });
      return labels[best];
    });
}

export function logistic(rows, labels) {
  const scale = scaler(rows);
  const known = rows.map(scale);
  const weights = new Float64Array(rows[0].length);
  let bias = 0;
  const logit = (row) => row.reduce((sum, value, k) => sum + value * weights[k], bias);
  for (let step = 0; step < STEPS; step++) {
    const slopes = new Float64Array(weights.length);
    let slope = 0;
    known.forEach((row, i) => {
      const error = 1 / (1 + Math.exp(-logit(row))) - labels[i];
      slope += error;
      row.forEach((value, k) => (slopes[k] += error * value));
    });
    slopes.forEach((value, k) => (weights[k] -= RATE * (value / known.length + DECAY * weights[k])));
    bias -= (RATE * slope) / known.length;
  }
  return (others) => others.map(scale).map((row) => (logit(row) > 0 ? 1 : 0));
}

export const MODELS = { nearest, logistic };
