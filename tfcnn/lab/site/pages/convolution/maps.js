// A layer in two dimensions: planes of an image, filters over all its channels, feature maps.

import { convolve2d } from "lab/convolution.js";
import { NumberTable } from "lab/number_table.js";
import { byId, chosen, make } from "lab/page.js";
import { largest } from "lab/paint.js";
import { short } from "lab/words.js";

const [SIDE, KERNEL] = [6, 3];
// a bright corner and a diagonal, at another place of each channel
const PLANES = [
  "000000011110011110011000011000000000",
  "000000000000001100001100000110000110",
  "100000010000001000000100000010000001",
].map((digits) => [...digits].map(Number));
const FILTERS = [
  [-1, 0, 1, -1, 0, 1, -1, 0, 1],
  [-1, -1, -1, 0, 0, 0, 1, 1, 1],
  [1, 0, 0, 0, 1, 0, 0, 0, 1],
  [0, 1, 0, 1, -4, 1, 0, 1, 0],
];
const NAMES = ["red", "green", "blue"];
let at = [1, 1];
let mapAt = 0;
let tables = null;

export function showMaps() {
  byId("filters").addEventListener("input", build);
  for (const one of document.querySelectorAll("input[name=channels]")) one.addEventListener("change", build);
  build();
  return show;
}

// The filter of this number, with weights for each channel: they differ a little.
function weightsOf(filter, channels) {
  return Array.from({ length: channels }, (_, channel) => FILTERS[(filter + channel) % FILTERS.length]);
}

// Interleave planes as an image has them: the channels of a pixel are beside each other.
const interleaved = (planes) => planes[0].flatMap((_, i) => planes.map((plane) => plane[i]));

function table(label, onPick = null) {
  const element = make("table");
  return { element, numbers: new NumberTable(element, { label, onPick }) };
}

const titled = (title, element) => make("div", {}, make("p", { textContent: title }), element);

function build() {
  const [channels, filters] = [Number(chosen("channels")), Number(byId("filters").value)];
  mapAt = Math.min(mapAt, filters - 1);
  const names = channels === 1 ? ["grey"] : NAMES;
  tables = {
    image: names.map((name) => table(`Image, ${name}`)),
    filter: Array.from({ length: filters }, (_, f) => names.map((name) => table(`Filter ${f + 1}, ${name}`))),
    maps: Array.from({ length: filters }, (_, f) => table(`Feature map ${f + 1}`, (place) => pick(f, place))),
  };
  byId("image").replaceChildren(...tables.image.map(({ element }, i) => titled(names[i], element)));
  byId("filter").replaceChildren(
    ...tables.filter.map((set, f) => make("div", {}, make("p", { textContent: `filter ${f + 1}` }), make("div", { className: "set" }, ...set.map(({ element }) => element)))),
  );
  byId("maps").replaceChildren(...tables.maps.map(({ element }, f) => titled(`map ${f + 1}`, element)));
  show();
}

function show() {
  const [channels, filters] = [Number(chosen("channels")), tables.maps.length];
  byId("filters-value").textContent = filters;
  byId("image-words").textContent = `Image, ${SIDE} x ${SIDE} x ${channels}`;
  byId("filter-words").textContent = `${filters} filter${filters > 1 ? "s" : ""}, ${KERNEL} x ${KERNEL} x ${channels}`;
  const image = { shape: [SIDE, SIDE, channels], values: interleaved(PLANES.slice(0, channels)) };
  tables.filter.forEach((set, f) => {
    const weights = weightsOf(f, channels);
    set.forEach(({ numbers }, channel) => numbers.show({ shape: [KERNEL, KERNEL], values: weights[channel] }, { most: 2 }));
    const map = convolve2d(image, { shape: [KERNEL, KERNEL, channels], values: interleaved(weights) });
    tables.maps[f].numbers.show(map, { most: largest(map.values) });
    tables.maps[f].values = map.values;
  });
  byId("map-words").textContent = `Feature maps, 4 x 4 x ${filters}`;
  byId("mixing").hidden = channels === 1;
  pick(mapAt, at);
}

function pick(map, [row, column]) {
  [mapAt, at] = [map, [row, column]];
  const channels = tables.image.length;
  const isIn = (r, c) => r >= row && r < row + KERNEL && c >= column && c < column + KERNEL;
  tables.image.forEach(({ numbers }, channel) =>
    numbers.show({ shape: [SIDE, SIDE], values: PLANES[channel] }, { most: 1, fill: "grey", marks: (r, c) => (isIn(r, c) ? "in" : "") }));
  tables.maps.forEach(({ numbers }, f) => {
    numbers.cells.forEach((cell, i) => (cell.className = f === map && i === row * numbers.columns + column ? "at" : ""));
    numbers.focusable(row, column);
  });
  const parts = weightsOf(map, channels).map((weights, channel) =>
    weights.reduce((sum, weight, i) => sum + weight * PLANES[channel][(row + Math.floor(i / KERNEL)) * SIDE + column + (i % KERNEL)], 0));
  const value = tables.maps[map].values[row * 4 + column];
  const names = channels === 1 ? ["the 9 products"] : NAMES;
  const text = parts.map((part, channel) => `${short(part)} (${names[channel]})`).join(" + ");
  byId("map-sum").replaceChildren(`Map ${map + 1}, row ${row + 1}, column ${column + 1}: ${text} = `, make("b", { textContent: short(value) }));
}
