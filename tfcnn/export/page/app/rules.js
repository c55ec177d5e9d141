// The decision and the flag of an image: a port of `decide`, `flags` and `abstains` in
// tfcnn/prediction/predictor.py. Probabilities and bounds are compared in float32, as NumPy does.

export const NO_ANSWER = "no-answer";
export const OUT_OF_DOMAIN = "out-of-domain";
export const ABSTAIN = "abstain";
export const APPROXIMATE = "approximate"; // of this page alone: the browser's pixels may differ

export const REASONS = {
  [NO_ANSWER]: "the network gives no number for it (NaN or infinity)",
  [ABSTAIN]: "its probability lies in the band where the run does not answer",
  [APPROXIMATE]: "this browser decodes such files to other pixels than tfcnn does; try a PNG",
  pixels: "its colours, light or edges are unlike those of the training images",
  features: "the network finds in it what it did not find in the training images",
};

export const mostProbable = (probs) => probs.indexOf(Math.max(...probs));

// Return the indices `{predicted, decision}` of the most probable class, and by the threshold.
export function decide(probs, positive, threshold) {
  const predicted = mostProbable(probs);
  if (positive === null || probs.length !== 2) return { predicted, decision: predicted };
  const isPositive = probs[positive] >= Math.fround(threshold);
  return { predicted, decision: isPositive ? positive : 1 - positive };
}

// Return `{flag, reason}`, both "" for most images; an image has one flag.
export function flagOf(probs, far, isExact, { positive, abstention, domain }) {
  const flagged = (flag, reason = REASONS[flag]) => ({ flag, reason });
  if (!probs.every(Number.isFinite)) return flagged(NO_ANSWER);
  if (domain && far && isOutside(far, domain.threshold)) {
    return flagged(OUT_OF_DOMAIN, REASONS[far[1] > far[0] || Number.isNaN(far[1]) ? "features" : "pixels"]);
  }
  if (abstains(probs, abstention, positive)) return flagged(ABSTAIN);
  return isExact ? { flag: "", reason: "" } : flagged(APPROXIMATE);
}

// Not a number is outside.
const isOutside = (far, threshold) => !(Math.max(...far) <= Math.fround(threshold));

function abstains(probs, band, positive) {
  if (!band) return false;
  const stated = positive === null ? Math.max(...probs) : probs[positive];
  return stated >= Math.fround(band[0]) && stated < Math.fround(band[1]);
}
