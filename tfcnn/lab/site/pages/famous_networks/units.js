// A network in units: a layer with the normalisation, activation or dropout that follows it alone.

const FOLDED = /^(BatchNormalization|ReLU|Activation|Dropout)$/;
const JOINS = /^(Add|Concatenate|Average|Multiply)$/;

// Return units in order: `{steps, name, kind, inputs, shape, parameters, level, multiplications}`;
// `inputs` are units, and `level` is how many come before it on the longest path.
export function unitsOf(network) {
  const uses = new Map();
  for (const { inputs } of network.steps) for (const place of inputs) uses.set(place, (uses.get(place) ?? 0) + 1);
  const byPlace = new Map();
  const units = [];
  for (const step of network.steps) {
    const before = byPlace.get(step.inputs[0]);
    const isAlone = step.inputs.length === 1 && uses.get(step.inputs[0]) === 1;
    if (FOLDED.test(step.kind) && before && isAlone) before.steps.push(step);
    else units.push({ steps: [step], inputs: step.inputs.map((place) => byPlace.get(place)).filter(Boolean) });
    byPlace.set(step.place, FOLDED.test(step.kind) && before && isAlone ? before : units.at(-1));
  }
  return units.map((unit) => finish(unit, network));
}

function finish(unit, network) {
  const [first] = unit.steps;
  const before = network.steps.find(({ place }) => place === first.inputs[0]);
  Object.assign(unit, {
    name: first.name,
    kind: first.kind,
    sort: sortOf(first.kind),
    shape: unit.steps.at(-1).shape,
    inputShape: before?.shape ?? network.image,
    parameters: unit.steps.reduce((sum, { parameters }) => sum + parameters, 0),
    level: 1 + Math.max(-1, ...unit.inputs.map(({ level }) => level)),
  });
  unit.weighted = (/Conv|Dense/.test(first.kind) ? 1 : 0) + Math.max(0, ...unit.inputs.map(({ weighted }) => weighted));
  unit.multiplications = multiplications(unit);
  return unit;
}

function sortOf(kind) {
  if (/Conv/.test(kind)) return "conv";
  if (/Pooling/.test(kind)) return "pool";
  if (kind === "Dense") return "dense";
  return JOINS.test(kind) ? "join" : "other";
}

// For each number of the result, a convolution multiplies once per weight of its filter.
function multiplications({ steps: [{ kind, settings, shape }], inputShape }) {
  if (kind === "Dense") return inputShape.at(-1) * settings.units;
  if (kind !== "Conv2D") return 0;
  return product(shape) * product(settings.kernel_size) * inputShape[2];
}

export const product = (sides) => sides.reduce((all, side) => all * side, 1);

// Say of what a unit is made: "Convolution 3 x 3, stride 2, BatchNormalization, ReLU".
export function wordsOf({ steps }) {
  const [{ kind, settings, activation }] = steps;
  const size = settings.kernel_size ?? settings.pool_size;
  const names = { Conv2D: "Convolution", MaxPooling2D: "Max pooling", AveragePooling2D: "Average pooling" };
  const parts = [`${names[kind] ?? kind}${size ? ` ${size.join(" \u00d7 ")}` : ""}`];
  if (size && settings.strides.some((stride) => stride > 1)) parts.push(`stride ${settings.strides[0]}`);
  if (settings.padding === "same") parts.push("padded");
  if (kind === "Dropout") parts.push(`drops ${100 * settings.rate} % in training`);
  if (activation && activation !== "linear") parts.push(activation);
  parts.push(...steps.slice(1).map((step) => (step.kind === "Activation" ? step.activation : step.kind)));
  return parts.join(", ");
}

// Say how the parameters of a unit are counted: "3 x 3 x 64 x 128 + 128".
export function countOf({ steps: [{ kind, settings, parameters }], inputShape }) {
  const depth = inputShape.at(-1);
  const sides = kind === "Conv2D" ? [...settings.kernel_size, depth, settings.filters] : [depth, settings.units];
  if (!["Conv2D", "Dense"].includes(kind)) return "";
  const weights = product(sides);
  const bias = parameters > weights ? ` + ${sides.at(-1).toLocaleString("en")}` : "";
  return `${sides.map((side) => side.toLocaleString("en")).join(" \u00d7 ")}${bias}`;
}
