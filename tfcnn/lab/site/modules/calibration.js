// Temperature, reliability and the losses of probabilities, as tfcnn/evaluation computes them
// (calibration.py, metrics.py and sample.py).

const SMALLEST_PROB = 1e-12;
export const BINS = 15;

// Return the probabilities that the logits divided by a temperature give.
export function applyTemperature(probs, temperature) {
  if (temperature === 1) return probs;
  return probs.map((row) => {
    const scaled = row.map((prob) => Math.log(Math.max(prob, SMALLEST_PROB)) / temperature);
    const most = Math.max(...scaled);
    const powers = scaled.map((value) => Math.exp(value - most));
    const sum = powers.reduce((total, power) => total + power, 0);
    return powers.map((power) => power / sum);
  });
}

// Return per image what was stated, and whether it came true: with a positive class its
// probability, and without one the largest.
function stated(labels, probs, positive) {
  return probs.map((row, i) => {
    if (positive !== null) return [row[positive], labels[i] === positive ? 1 : 0];
    const first = row.indexOf(Math.max(...row));
    return [row[first], labels[i] === first ? 1 : 0];
  });
}

// Return a row per bin of equal width: `{count, confidence, frequency}`, null in an empty one.
export function reliability(labels, probs, positive, bins = BINS) {
  const rows = Array.from({ length: bins }, () => [0, 0, 0]);
  for (const [prob, hit] of stated(labels, probs, positive)) {
    const row = rows[Math.min(Math.floor(prob * bins), bins - 1)];
    row[0] += 1;
    row[1] += prob;
    row[2] += hit;
  }
  return rows.map(([count, confidence, frequency]) => ({
    count,
    confidence: count ? confidence / count : null,
    frequency: count ? frequency / count : null,
  }));
}

// Return the mean gap of stated and true, weighted by the images of each bin.
export function ece(rows) {
  const all = rows.reduce((sum, { count }) => sum + count, 0);
  return rows.reduce((sum, { count, confidence, frequency }) => sum + (count ? count * Math.abs(confidence - frequency) : 0), 0) / all;
}

export function logLoss(labels, probs) {
  const sum = probs.reduce((total, row, i) => total - Math.log(Math.max(row[labels[i]], SMALLEST_PROB)), 0);
  return sum / probs.length;
}

// Return how the images fall by a threshold of the positive class.
export function confusion(labels, probs, positive, threshold) {
  const found = { hits: 0, misses: 0, alarms: 0, clear: 0 };
  labels.forEach((label, i) => {
    const isCalled = probs[i][positive] >= threshold;
    if (label === positive) found[isCalled ? "hits" : "misses"] += 1;
    else found[isCalled ? "alarms" : "clear"] += 1;
  });
  return found;
}
