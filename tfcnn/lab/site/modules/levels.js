// The steps of a network in rows: what lies at one depth is side by side, and so are the calls of
// one layer on several views of the image.

export function levelsOf({ steps }) {
  const depths = new Map([[0, 0]]);
  const deepest = new Map();
  for (const step of steps) {
    const depth = 1 + Math.max(...step.inputs.map((place) => depths.get(place)));
    depths.set(step.place, depth);
    deepest.set(keyOf(step), Math.max(depth, deepest.get(keyOf(step)) ?? 0));
  }
  const levels = new Map();
  for (const step of steps) {
    const depth = deepest.get(keyOf(step));
    levels.set(depth, [...(levels.get(depth) ?? []), step]);
  }
  return [...levels].sort(([one], [other]) => one - other).map(([, row]) => sorted(row));
}

// Layers beside each other by their numbers; calls of one layer stay in order.
const sorted = (row) => row.sort((one, other) => one.name.localeCompare(other.name, "en", { numeric: true }));

// A layer without the number of its call.
const keyOf = ({ name, within }) => [...within.filter((part) => !/^\d+$/.test(part)), name].join("/");

// Return the number of the view of the image that a step belongs to, "" where there is one view.
export const viewOf = ({ within }) => within.find((part) => /^\d+$/.test(part)) ?? "";
