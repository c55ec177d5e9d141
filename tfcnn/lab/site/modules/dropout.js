// A port of tfcnn/concepts/dropout.py: while training, units are switched off at random.

// Set the values whose number in `draws`, from 0 to below 1, is below `rate` to 0; divide the rest
// by `1 - rate`.
export function dropout(values, rate, draws, training = true) {
  if (!(rate >= 0 && rate < 1)) throw new RangeError(`expected a share from 0 to below 1; received ${rate}`);
  if (!training) return [...values];
  return values.map((value, i) => (draws[i] >= rate ? value / (1 - rate) : 0));
}
