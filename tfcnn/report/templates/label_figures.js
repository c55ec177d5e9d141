// What the judgements say of all labels: a port of `Share`, `_wrong` and `_if_slips` in
// tfcnn/evaluation/label_review.py.

const TAIL = 0.025; // on each side of a 95 % interval

// How many labels were changed of those decided, with the exact interval of Clopper and Pearson (1934).
function shareOf(changed, decided) {
  if (!decided) return { changed: 0, decided: 0, value: null, low: null, high: null };
  const low = changed ? solve((p) => 1 - atMost(changed - 1, decided, p) - TAIL) : 0;
  const high = changed < decided ? solve((p) => TAIL - atMost(changed, decided, p)) : 1;
  return { changed, decided, value: changed / decided, low, high };
}

// The share of wrong labels among all images, or null where nothing follows.
function wrongShare(ofSuspects, ofRandom, suspects, images) {
  if (ofRandom.value === null || (suspects && ofSuspects.value === null)) return null;
  const [others, open, changed] = [images - suspects, suspects - ofSuspects.decided, ofSuspects.changed];
  return {
    value: (changed + (ofSuspects.value ?? 0) * open + ofRandom.value * others) / images,
    low: (changed + ofRandom.low * others) / images,
    high: (changed + open + ofRandom.high * others) / images,
  };
}

// The share of suspects that are wrong if each change of an image drawn at random was a slip.
function ifSlips(ofSuspects, ofRandom) {
  const [one, other] = [ofSuspects.value, ofRandom.value];
  if (one === null || other === null || other === 1) return null;
  return Math.max(0, (one - other) / (1 - other));
}

// The probability of at most so many hits.
function atMost(hits, total, p) {
  if (p <= 0) return 1;
  if (p >= 1) return hits >= total ? 1 : 0;
  let [log, sum] = [total * Math.log1p(-p), 0];
  for (let k = 0; k <= hits; k++) {
    sum += Math.exp(log);
    log += Math.log((total - k) / (k + 1)) + Math.log(p) - Math.log1p(-p);
  }
  return Math.min(1, sum);
}

// Where a rising function of a probability is nought.
function solve(rising) {
  let [low, high] = [0, 1];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (rising(middle) > 0) high = middle;
    else low = middle;
  }
  return (low + high) / 2;
}
