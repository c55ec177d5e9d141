// How one number of a layer's result is computed from numbers of its inputs.
//
// `explain` returns `{rule, terms, bias, sum, activation, result}`. A term is `{place, at, value,
// weight, product}`: a number of an input, at its position in that result, with its weight, where
// there is one. `rule` is a sentence. `result` is null where this page cannot compute the layer.

import { ACTIVATIONS } from "lab/activations.js";
import { marginOf, taps, windowOf } from "lab/windows_of.js";

// Return row, column and channel of a position in maps `(height, width, channels)`.
export const coordinates = (at, [, width, channels]) => {
  const pixel = Math.floor(at / channels);
  return [Math.floor(pixel / width), pixel % width, at % channels];
};
const position = ([, width, channels], y, x, c) => (y * width + x) * channels + c;

// Explain the number at a position of a step's result; `results` are those of all places.
export function explain(network, results, step, at) {
  const own = RULES[step.kind] ?? RULES[KINDS.find(([pattern]) => pattern.test(step.kind))?.[1]];
  const found = own?.({ network, results, step, at, inputs: step.inputs.map((place) => input(network, results, place)) });
  if (!found) return { rule: "This page does not compute this kind of layer step by step.", terms: [], result: null };
  return { bias: 0, activation: "linear", ...found };
}

function input(network, results, place) {
  return { place, shape: network.shape(place), values: results[place] };
}

const term = ({ place, values }, at, weight = null) => ({
  place, at, value: values[at], weight, product: weight === null ? values[at] : values[at] * weight,
});
const total = (terms) => terms.reduce((sum, { product }) => sum + product, 0);

// Finish a weighted sum: bias, then activation. `sums` gives the sums of the whole row, for a softmax.
function weighted({ network, step, at }, terms, channel, sums = null) {
  const bias = network.weight(step, "bias")?.values[channel] ?? 0;
  const sum = total(terms) + bias;
  const activation = step.activation ?? "linear";
  const rule = "Each input number times its weight, added up" + (step.weights.bias ? ", plus the bias." : ".");
  if (activation === "softmax") return sums && { rule, terms, bias, sum, activation, result: share(sums(), channel) };
  const result = ACTIVATIONS[activation]?.(sum) ?? null;
  return { rule, terms, bias, sum, activation, result };
}

function share(logits, place) {
  const most = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - most));
  return powers[place] / powers.reduce((sum, power) => sum + power, 0);
}

function spatial({ step, at, inputs: [first] }) {
  const [y, x, channel] = coordinates(at, step.shape);
  const windows = [0, 1].map((axis) => windowOf(step, axis, first.shape[axis], step.shape[axis]));
  const places = [];
  for (const [i, down] of taps(windows[0], y, first.shape[0])) {
    for (const [j, across] of taps(windows[1], x, first.shape[1])) places.push({ i, j, down, across });
  }
  return { channel, places, first, count: windows[0].kernel * windows[1].kernel };
}

function convolution(job) {
  const { channel, places, first } = spatial(job);
  const { shape, values } = job.network.weight(job.step, "kernel");
  const [, across, depth, filters] = shape;
  const firstChannel = Math.floor(channel / (filters / (job.step.settings.groups ?? 1))) * depth;
  const terms = places.flatMap(({ i, j, down, across: column }) =>
    Array.from({ length: depth }, (_, c) =>
      term(first, position(first.shape, down, column, firstChannel + c), values[((i * across + j) * depth + c) * filters + channel]),
    ),
  );
  return weighted(job, terms, channel);
}

function depthwise(job) {
  const { channel, places, first } = spatial(job);
  const weights = job.network.weight(job.step, "kernel") ?? job.network.weight(job.step, "depthwise_kernel");
  const [, across, depth, each] = weights.shape;
  const source = Math.floor(channel / each);
  const terms = places.map(({ i, j, down, across: column }) =>
    term(first, position(first.shape, down, column, source), weights.values[((i * across + j) * depth + source) * each + (channel % each)]),
  );
  return weighted(job, terms, channel);
}

function dense(job) {
  const { shape: [size, units], values } = job.network.weight(job.step, "kernel");
  const [unit, row] = [job.at % units, Math.floor(job.at / units)];
  const terms = Array.from({ length: size }, (_, i) => term(job.inputs[0], row * size + i, values[i * units + unit]));
  const bias = job.network.weight(job.step, "bias")?.values;
  const sums = () =>
    Array.from({ length: units }, (_, other) =>
      terms.reduce((sum, { value }, i) => sum + value * values[i * units + other], bias?.[other] ?? 0),
    );
  return weighted(job, terms, unit, sums);
}

function pool(job, isMax) {
  const { channel, places, first } = spatial(job);
  return gathered(places.map(({ down, across }) => term(first, position(first.shape, down, across, channel))), isMax);
}

function globalPool({ at, inputs: [first] }, isMax) {
  const [height, width, channels] = first.shape;
  return gathered(Array.from({ length: height * width }, (_, i) => term(first, i * channels + at)), isMax);
}

function gathered(terms, isMax) {
  const values = terms.map(({ value }) => value);
  if (isMax) return { rule: "The greatest of these numbers.", terms, result: Math.max(...values) };
  const sum = total(terms);
  return { rule: "The mean of these numbers.", terms, sum, result: sum / terms.length };
}

function normalized({ network, step, at, inputs: [first] }) {
  const channels = step.shape.at(-1);
  if (![-1, step.shape.length].includes(step.settings.axis)) return null;
  const [scale, shift, mean, variance] = ["gamma", "beta", "moving_mean", "moving_variance"].map(
    (name) => network.weight(step, name)?.values[at % channels],
  );
  const one = term(first, at);
  const deviation = Math.sqrt(variance + step.settings.epsilon);
  const result = ((one.value - mean) / deviation) * (scale ?? 1) + (shift ?? 0);
  const rule = "Less the mean of training, over the standard deviation of training, times a learnt scale, plus a learnt shift.";
  return { rule, terms: [one], details: { mean, "standard deviation": deviation, scale: scale ?? 1, shift: shift ?? 0 }, result };
}

function unitLength({ step, at, inputs: [first] }) {
  const axes = [step.settings.axis].flat().map((axis) => (axis < 0 ? axis + step.shape.length : axis - 1));
  const steps = step.shape.map((_, axis) => step.shape.slice(axis + 1).reduce((product, side) => product * side, 1));
  const place = (i, axis) => Math.floor(i / steps[axis]) % step.shape[axis];
  const kept = step.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  let squares = 0;
  first.values.forEach((value, i) => {
    if (kept.every((axis) => place(i, axis) === place(at, axis))) squares += value * value;
  });
  const length = Math.sqrt(squares);
  const one = term(first, at);
  const rule = "Divided by the length of all numbers of this channel (the root of the sum of their squares).";
  return { rule, terms: [one], details: { length }, result: one.value / Math.max(length, 1e-6) };
}

const mapped = (rule, change) => ({ step, at, inputs: [first] }) => {
  const one = term(first, at);
  return { rule, terms: [one], result: change(one.value, step) };
};

function relu(value, { settings: { negative_slope: slope = 0, threshold = 0, max_value: most = Infinity } }) {
  return value > threshold ? Math.min(value, most) : slope * (value - threshold);
}

function activated({ step, at, inputs: [first] }) {
  const one = term(first, at);
  const name = step.activation ?? KIND_ACTIVATIONS[step.kind];
  if (name === "softmax") {
    const size = step.shape.at(-1);
    const start = Math.floor(at / size) * size;
    const result = share(Array.from(first.values.slice(start, start + size)), at - start);
    return { rule: "Its share of all, by their exponentials.", terms: [one], sum: one.value, activation: name, result };
  }
  const change = ACTIVATIONS[name];
  return change && { rule: `${name} of this number.`, terms: [one], sum: one.value, activation: name, result: change(one.value) };
}

const KIND_ACTIVATIONS = { Softmax: "softmax", Gelu: "gelu", Sigmoid: "sigmoid", Tanh: "tanh", Relu: "relu", Silu: "silu" };

function together(rule, combine) {
  return ({ step, at, inputs }) => {
    if (inputs.length < 2 || inputs.some(({ shape }) => String(shape) !== String(step.shape))) return null;
    const terms = inputs.map((one) => term(one, at));
    return { rule, terms, result: combine(terms.map(({ value }) => value)) };
  };
}

const added = (values) => values.reduce((sum, value) => sum + value, 0);

function concatenated({ step, at, inputs }) {
  if (![-1, step.shape.length].includes(step.settings.axis)) return null;
  let channel = at % step.shape.at(-1);
  const row = Math.floor(at / step.shape.at(-1));
  for (const one of inputs) {
    const own = one.shape.at(-1);
    if (channel < own) return copied(term(one, row * own + channel));
    channel -= own;
  }
  return null;
}

function moved({ step, at, inputs: [first] }) {
  const [y, x, c] = coordinates(at, step.shape);
  const [down, across] = marginOf(step);
  const extra = step.shape[2] - first.shape[2];
  const channel = step.kind === "Pad" && extra ? c - step.settings.pad_width[3][0] : c;
  const [row, column] = [y - down, x - across];
  const [height, width, channels] = first.shape;
  const isInside = row >= 0 && row < height && column >= 0 && column < width && channel >= 0 && channel < channels;
  if (!isInside) return { rule: "A zero of the padding.", terms: [], result: 0 };
  return copied(term(first, position(first.shape, row, column, channel)));
}

function flipped({ step, at, inputs: [first] }) {
  if (![1, 2].includes(step.settings.axis)) return null;
  const place = coordinates(at, step.shape);
  place[step.settings.axis - 1] = step.shape[step.settings.axis - 1] - 1 - place[step.settings.axis - 1];
  return copied(term(first, position(first.shape, ...place)));
}

function split({ step, at, inputs: [first] }) {
  if (step.shape.length !== 3 || first.shape[2] % step.shape[2]) return null;
  const [y, x, c] = coordinates(at, step.shape);
  return copied(term(first, position(first.shape, y, x, step.output * step.shape[2] + c)));
}

const copied = (one) => ({ rule: "The same number, passed on.", terms: [one], result: one.value });
const same = ({ at, inputs: [first] }) => copied(term(first, at));

const RULES = {
  Conv2D: convolution,
  DepthwiseConv2D: depthwise,
  Dense: dense,
  MaxPooling2D: (job) => pool(job, true),
  AveragePooling2D: (job) => pool(job, false),
  GlobalMaxPooling2D: (job) => globalPool(job, true),
  GlobalAveragePooling2D: (job) => globalPool(job, false),
  BatchNormalization: normalized,
  UnitNormalization: unitLength,
  Rescaling: ({ step, at, inputs: [first] }) => {
    const [scale, offset] = [step.settings.scale, step.settings.offset ?? 0].map((one) => [one].flat());
    const place = (values) => values[values.length > 1 ? at % values.length : 0];
    const one = term(first, at);
    const details = { scale: place(scale), offset: place(offset) };
    return { rule: "Times a scale, plus an offset.", terms: [one], details, result: one.value * details.scale + details.offset };
  },
  ReLU: mapped("What is below zero becomes zero.", relu),
  LeakyReLU: mapped("What is below zero is made smaller.", relu),
  Activation: activated,
  Add: together("The inputs, added up.", added),
  Average: together("The mean of the inputs.", (values) => added(values) / values.length),
  Multiply: together("The inputs, multiplied.", (values) => values.reduce((product, value) => product * value, 1)),
  Maximum: together("The greatest of the inputs.", (values) => Math.max(...values)),
  Subtract: together("The first input less the second.", ([one, other]) => one - other),
  Concatenate: concatenated,
  ZeroPadding2D: moved,
  Cropping2D: moved,
  Pad: moved,
  Flip: flipped,
  Split: split,
};
const KINDS = [
  [/Dropout|Noise$|^(Flatten|Reshape|InputLayer|Identity|ConvertToTensor|Cast|ActivityRegularization)$/, "Same"],
  [/^(Softmax|Gelu|Sigmoid|Tanh|Relu|Silu)$/, "Activation"],
];
RULES.Same = same;
