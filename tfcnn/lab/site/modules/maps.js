// Maps of numbers as pictures: blue above zero, orange below, as strong as they are far from it.

import { colour } from "lab/theme.js";

const STEPS = 127; // colours to each side of zero
let table = null;
let made = null; // for which colours the table was made

// Return RGBA colours in one array, from the lowest number to the highest.
function colours() {
  const names = ["orange", "grey", "blue"].map(colour);
  if (made === names.join()) return table;
  made = names.join();
  const [low, zero, high] = names.map(rgb);
  table = new Uint32Array(2 * STEPS + 1);
  const bytes = new Uint8ClampedArray(table.buffer);
  for (let i = -STEPS; i <= STEPS; i++) {
    const [end, share] = [i < 0 ? low : high, Math.abs(i) / STEPS];
    for (let c = 0; c < 3; c++) bytes[4 * (i + STEPS) + c] = zero[c] + (end[c] - zero[c]) * share;
    bytes[4 * (i + STEPS) + 3] = 255;
  }
  return table;
}

function rgb(text) {
  const letters = text.slice(1);
  const pairs = letters.length === 3 ? [...letters].map((one) => one + one) : letters.match(/../g);
  return pairs.map((pair) => parseInt(pair, 16));
}

// Return the least and the greatest number, and the greatest distance from zero.
export function rangeOf(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return { low, high, most: Math.max(Math.abs(low), Math.abs(high)) || 1 };
}

// Return the colour of a number as CSS has it, and whether letters on it should be light.
export function shade(value, most) {
  const packed = colours()[STEPS + Math.round((STEPS * Math.max(-most, Math.min(most, value))) / most)];
  const [red, green, blue] = [packed & 255, (packed >> 8) & 255, (packed >> 16) & 255];
  const light = (299 * red + 587 * green + 114 * blue) / 1000;
  return { background: `rgb(${red} ${green} ${blue})`, color: light > 140 ? "#14181d" : "#fff" };
}

// Paint maps side by side: `values` are `(height, width, channels)`; `first` and `count` say which.
// Each map is `tile` canvas pixels wide; a picture of larger maps takes every n-th number.
export function paintAtlas(canvas, { values, shape: [height, width, channels], first = 0, count, columns, tile, most, gap = 2 }) {
  const down = Math.max(1, Math.round((tile * height) / width));
  const rows = Math.ceil(count / columns);
  canvas.width = columns * (tile + gap) - gap;
  canvas.height = rows * (down + gap) - gap;
  const image = new ImageData(canvas.width, canvas.height);
  const pixels = new Uint32Array(image.data.buffer);
  const shades = colours();
  const scale = STEPS / most;
  for (let k = 0; k < count; k++) {
    const [left, top] = [(k % columns) * (tile + gap), Math.floor(k / columns) * (down + gap)];
    for (let y = 0; y < down; y++) {
      const row = Math.floor((y * height) / down) * width;
      for (let x = 0; x < tile; x++) {
        const value = values[(row + Math.floor((x * width) / tile)) * channels + first + k];
        const step = Number.isFinite(value) ? Math.round(Math.max(-STEPS, Math.min(STEPS, value * scale))) : 0;
        pixels[(top + y) * canvas.width + left + x] = shades[step + STEPS];
      }
    }
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
  return { rows, down };
}

// Paint uint8 pixels as they are, in grey or in colours.
export function paintPixels(canvas, pixels, [height, width, channels]) {
  canvas.width = width;
  canvas.height = height;
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = pixels[i * channels + (channels === 3 ? c : 0)];
    image.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

// A number as a person reads it.
export function short(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "none";
  const size = Math.abs(value);
  if (size >= 1000) return value.toLocaleString("en", { maximumFractionDigits: 0 }).replace("-", "\u2212");
  const text = size >= 100 ? value.toFixed(1) : size >= 1 || size === 0 ? value.toFixed(2) : value.toPrecision(2);
  const plain = size && size < 1e-4 ? value.toExponential(1) : Number(text) === 0 ? "0" : text;
  return plain.replace("-", "\u2212");
}

