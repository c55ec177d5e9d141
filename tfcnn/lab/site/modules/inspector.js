// One number of a network: where it comes from, term by term, down to the pixels of the image.

import { coordinates, explain } from "lab/arithmetic.js";
import { make } from "lab/elements.js";
import { sentenceOf, sizeOf } from "lab/kinds_of_layers.js";
import { paintAtlas, paintPixels, rangeOf, shade, short } from "lab/maps.js";
import { viewOf } from "lab/levels.js";
import { seenBy } from "lab/windows_of.js";

const FIRST_TERMS = 9;
const MOST_TERMS = 200;
const MAP_SIDE = 224; // px of the page
const MOST_SLICES = 48; // of a filter

export class Inspector {
  // `root` is where it is shown; `go(step, channel, pixel)` chooses another number.
  constructor(root, network, go) {
    Object.assign(this, { root, network, go, trail: [], isWhole: false, at: null });
  }

  // Show a number. `results` and `pixels` are those of the image that is shown.
  show(step, channel, pixel, results, pixels, { isBack = false } = {}) {
    const isOther = this.at && (this.at.step !== step || this.at.channel !== channel);
    if (!isBack && isOther) this.trail.push(this.at);
    this.isWhole = false;
    this.at = { step, channel, pixel };
    Object.assign(this, { results, pixels });
    this.draw();
  }

  // Show the same number for another image.
  update(results, pixels) {
    if (!this.at) return;
    Object.assign(this, { results, pixels });
    this.draw();
  }

  draw() {
    const { step } = this.at;
    const held = document.activeElement?.dataset?.keep;
    this.root.hidden = false;
    this.root.replaceChildren(this.head(), ...this.pictures(), ...this.sum(), ...this.filter());
    if (held) this.root.querySelector(`[data-keep="${held}"]`)?.focus({ preventScroll: true });
    this.root.dataset.place = step.place;
  }

  position() {
    const { step, channel, pixel } = this.at;
    if (step.shape.length !== 3) return channel;
    return (pixel[0] * step.shape[1] + pixel[1]) * step.shape[2] + channel;
  }

  head() {
    const { step, channel } = this.at;
    const channels = step.shape.reduce((product, side, i) => (step.shape.length === 3 && i < 2 ? 1 : product * side), 1);
    const turn = (by) => this.go(step, (channel + by + channels) % channels, this.at.pixel);
    const button = (text, keep, onclick, isOff) =>
      make("button", { type: "button", className: "quiet", textContent: text, disabled: isOff, onclick, data: { keep } });
    const view = viewOf(step) ? `, view ${viewOf(step)}` : "";
    return make("div", { className: "inspector-head" },
      make("h3", { textContent: `${step.name}${view}` }),
      make("p", { className: "small", textContent: `${step.kind}: ${sentenceOf(step)}` }),
      make("p", { className: "buttons" },
        button("Back", "back", () => this.back(), !this.trail.length),
        button("\u2039 Map", "previous", () => turn(-1), channels < 2),
        button("Map \u203a", "next", () => turn(1), channels < 2),
        button("Close", "close", () => this.close(), false),
      ),
    );
  }

  back() {
    const { step, channel, pixel } = this.trail.pop();
    this.at = null;
    this.go(step, channel, pixel);
  }

  close() {
    this.root.hidden = true;
    this.at = null;
    this.trail = [];
  }

  pictures() {
    const { step, channel, pixel } = this.at;
    const value = this.results[step.place][this.position()];
    const where = step.shape.length === 3 ? `map ${channel}, row ${pixel[0]}, column ${pixel[1]}` : `number ${channel}`;
    const text = make("p", { className: "result", data: { value } }, make("b", { textContent: short(value) }));
    const line = make("p", { className: "small", textContent: where });
    return [make("div", { className: "inspector-pictures" }, this.map(), this.image()), text, line];
  }

  // The map, large; a click or an arrow key chooses another place on it.
  map() {
    const { step, channel, pixel } = this.at;
    if (step.shape.length !== 3) return null;
    const [height, width] = step.shape;
    const canvas = make("canvas", { className: "pixels", tabIndex: 0, data: { keep: "map" }, aria: { role: "img", label: `Map ${channel} of ${step.name}, ${height} by ${width}. Arrows move the chosen place.` } });
    const values = this.results[step.place];
    const tile = width * Math.max(1, Math.floor((2 * MAP_SIDE) / Math.max(height, width)));
    paintAtlas(canvas, { values, shape: step.shape, first: channel, count: 1, columns: 1, tile, most: rangeOf(values).most });
    const choose = (y, x) => this.go(step, channel, [y, x]);
    canvas.addEventListener("click", (event) => {
      const box = canvas.getBoundingClientRect();
      const place = (at, size, cells) => Math.max(0, Math.min(cells - 1, Math.floor((at / size) * cells)));
      choose(place(event.clientY - box.top, box.height, height), place(event.clientX - box.left, box.width, width));
    });
    canvas.addEventListener("keydown", (event) => {
      const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
      const [down, across] = moves[event.key] ?? [];
      if (down === undefined) return;
      event.preventDefault();
      choose(Math.max(0, Math.min(height - 1, pixel[0] + down)), Math.max(0, Math.min(width - 1, pixel[1] + across)));
    });
    return framed(canvas, [pixel[0], pixel[1], pixel[0] + 1, pixel[1] + 1], [height, width], "this map");
  }

  // The image, with the part of it that the number depends on.
  image() {
    const { step, pixel } = this.at;
    const canvas = make("canvas", { className: "pixels", aria: { role: "img", label: "The image, with the part that this number sees" } });
    paintPixels(canvas, this.pixels, this.network.image);
    const own = step.shape.length === 3 ? [pixel[0], pixel[1], pixel[0] + 1, pixel[1] + 1] : [0, 0, 1, 1];
    const box = seenBy(this.network, step.place, own);
    const size = box ? `sees ${box[2] - box[0]} \u00d7 ${box[3] - box[1]} px` : "sees no pixel";
    return framed(canvas, box, this.network.image, size);
  }

  filter() {
    const { step, channel } = this.at;
    const kernel = this.network.weight(step, "kernel");
    if (!kernel || kernel.shape.length !== 4 || step.kind !== "Conv2D") return [];
    const [height, width, depth, filters] = kernel.shape;
    const values = new Float32Array(height * width * depth);
    for (let i = 0; i < values.length; i++) values[i] = kernel.values[i * filters + channel];
    const { most } = rangeOf(values);
    const shown = Math.min(depth, MOST_SLICES);
    const head = make("h4", { textContent: `Its filter: ${sizeOf([height, width, depth])}` });
    if (height * width * depth <= 81) return [head, numbers(values, [height, width, depth], most)];
    const canvas = make("canvas", { className: "pixels", aria: { role: "img", label: `${shown} slices of the filter` } });
    const tile = 2 * width * Math.max(1, Math.round(26 / width));
    const columns = Math.min(shown, Math.max(1, Math.floor(320 / (tile / 2 + 3))));
    paintAtlas(canvas, { values, shape: [height, width, depth], count: shown, columns, tile, most, gap: 6 });
    canvas.style.width = `${canvas.width / 2}px`;
    const rest = depth > shown ? `; the first ${shown} are shown` : "";
    return [head, make("p", { className: "small", textContent: `A slice for each of the ${depth} maps that it reads${rest}.` }), canvas];
  }

  sum() {
    const { step } = this.at;
    const found = explain(this.network, this.results, step, this.position());
    const head = make("h4", { textContent: "How this number is computed" });
    const rule = make("p", { className: "small", textContent: found.rule });
    if (!found.terms.length) return [head, rule];
    const isWeighted = found.terms[0].weight !== null;
    const order = found.terms.slice().sort((one, other) => Math.abs(other.product) - Math.abs(one.product));
    const shown = order.slice(0, this.isWhole ? MOST_TERMS : FIRST_TERMS);
    const rest = order.slice(shown.length);
    const rows = shown.map((one) => this.term(one, isWeighted));
    if (rest.length) rows.push(this.others(rest, isWeighted));
    const titles = isWeighted ? ["Input", "Value", "Weight", "Product"] : ["Input", "Value"];
    const table = make("table", { className: "terms" },
      make("thead", {}, make("tr", {}, ...titles.map((title) => make("th", { textContent: title, scope: "col" })))),
      make("tbody", {}, ...rows),
    );
    return [head, rule, table, this.ending(found, isWeighted)];
  }

  term({ place, at, value, weight, product }, isWeighted) {
    const step = this.network.byPlace.get(place);
    const shape = this.network.shape(place);
    const spot = shape.length === 3 ? coordinates(at, shape) : null;
    const words = spot ? `${step?.name ?? "image"} [${spot.join(", ")}]` : `${step?.name ?? "image"} [${at}]`;
    const cell = step
      ? make("button", { type: "button", className: "link", textContent: words, onclick: () => this.go(step, spot ? spot[2] : at, spot ? spot.slice(0, 2) : [0, 0]) })
      : words;
    const figures = isWeighted ? [value, weight, product] : [value];
    return make("tr", {}, make("td", {}, cell), ...figures.map((one) => make("td", { className: "count", textContent: short(one) })));
  }

  others(rest, isWeighted) {
    const more = make("button", { type: "button", className: "link", textContent: `${rest.length.toLocaleString("en")} more`, disabled: this.isWhole, data: { keep: "more" }, onclick: () => {
      this.isWhole = true;
      this.draw();
    } });
    const sum = rest.reduce((total, { product }) => total + product, 0);
    const cells = isWeighted ? ["", "", short(sum)] : [""];
    return make("tr", {}, make("td", {}, more), ...cells.map((text) => make("td", { className: "count", textContent: text })));
  }

  ending({ terms, bias, sum, activation, details = {}, result }, isWeighted) {
    const { step } = this.at;
    const products = terms.reduce((total, { product }) => total + product, 0);
    const parts = [];
    if (isWeighted) parts.push(`sum ${short(products)}`);
    if (isWeighted && step.weights.bias) parts.push(`bias ${short(bias)}`);
    parts.push(...Object.entries(details).map(([name, value]) => `${name} ${short(value)}`));
    const isActive = activation && activation !== "linear" && sum !== undefined;
    if (isActive) parts.push(`${activation}(${short(sum)})`);
    const own = this.results[step.place][this.position()];
    const agrees = result !== null && Math.abs(result - own) <= 1e-3 * Math.max(1, Math.abs(own));
    const end = agrees ? `= ${short(result)}` : `LiteRT says ${short(own)}`;
    return make("p", { className: "sum", data: { agrees: agrees ? "yes" : "no" } }, parts.join(", "), " ", make("b", { textContent: end }));
  }
}

// A canvas with a frame around a box `[top, left, bottom, right]` of its cells.
function framed(canvas, box, [height, width], text) {
  const frame = make("i", { className: "frame-of-map", hidden: !box });
  if (box) {
    const share = (part, whole) => `${(100 * part) / whole}%`;
    const [top, left, bottom, right] = box;
    frame.style.cssText = `top:${share(top, height)};left:${share(left, width)};height:${share(bottom - top, height)};width:${share(right - left, width)}`;
  }
  const stack = make("div", { className: "framed" }, canvas, frame);
  stack.style.aspectRatio = `${width} / ${height}`;
  return make("figure", {}, make("figcaption", { textContent: text }), stack);
}

// A small filter as tables of numbers, one for each map that it reads.
function numbers(values, [height, width, depth], most) {
  const tables = Array.from({ length: depth }, (_, c) => {
    const rows = Array.from({ length: height }, (_, y) =>
      make("tr", {}, ...Array.from({ length: width }, (_, x) => {
        const value = values[(y * width + x) * depth + c];
        const cell = make("td", { textContent: value.toFixed(2).replace("-", "\u2212"), title: String(value) });
        Object.assign(cell.style, shade(value, most));
        return cell;
      })),
    );
    return make("table", { className: "kernel", aria: { label: `Weights for map ${c}` } }, make("tbody", {}, ...rows));
  });
  return make("div", { className: "kernels" }, ...tables);
}

