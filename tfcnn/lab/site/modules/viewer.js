// A network laid open: a row for each depth, in it a card for each layer with its maps.
//
// A click on a map, or Enter, chooses it; `choose(step, channel, pixel)` is then told.

import { make } from "lab/elements.js";
import { sentenceOf, sizeOf } from "lab/kinds_of_layers.js";
import { levelsOf, viewOf } from "lab/levels.js";
import { paintAtlas, rangeOf, short } from "lab/maps.js";
import { onTheme } from "lab/theme.js";

const FIRST_MAPS = 32; // shown of a layer before one asks for all
const MOST_ROWS = 12; // of a long vector, before one asks for all
const LEAST_TILE = 28; // px of the page
const MOST_TILE = 56;
const CELL = 14; // px of the page, for a number of a vector
const GAP = 2;

export class Viewer {
  constructor(root, network, choose) {
    this.network = network;
    this.choose = choose;
    this.results = null;
    this.chosen = null; // {step, channel}
    this.cards = new Map(); // by place
    root.replaceChildren(...levelsOf(network).map((row) => this.level(row)));
    this.watcher = new IntersectionObserver((seen) => seen.forEach((one) => this.onSeen(one)), { rootMargin: "600px" });
    for (const card of this.cards.values()) this.watcher.observe(card.element);
    onTheme(() => this.show(this.results));
    let width = root.clientWidth;
    new ResizeObserver(() => {
      if (Math.abs(root.clientWidth - width) < 8) return;
      width = root.clientWidth;
      this.show(this.results);
    }).observe(root);
  }

  level(row) {
    const words = [...new Set(row.map(sentenceOf))].filter(Boolean);
    const kinds = [...new Set(row.map(({ kind }) => kind))];
    const names = [...new Set(row.map(({ name }) => name))];
    const name = names.length > 2 ? `${names[0]} to ${names.at(-1)}` : names.join(" and ");
    const count = row.reduce((sum, { parameters }) => sum + parameters, 0);
    const facts = [kinds.join(", "), count ? `${count.toLocaleString("en")} parameters` : ""].filter(Boolean).join(", ");
    const head = make("div", { className: "level-head" },
      make("h3", { textContent: name }),
      make("p", { className: "small", textContent: facts }),
      make("p", { className: "small", textContent: words.join(" ") }),
    );
    const cards = make("div", { className: "level-cards" }, ...row.map((step) => this.card(step, names.length)));
    return make("section", { className: "level" }, head, cards);
  }

  card(step, beside) {
    const view = viewOf(step);
    const canvas = make("canvas", { className: "pixels atlas", tabIndex: 0, aria: { role: "img" } });
    const label = make("p", { className: "small card-label" });
    const more = make("button", { type: "button", className: "quiet", hidden: true });
    const element = make("div", { className: "layer-card", data: { place: step.place } }, label, canvas, more);
    const card = { step, element, canvas, label, more, view, isWhole: false, isSeen: false, isStale: true, beside };
    canvas.addEventListener("click", (event) => this.onClick(card, event));
    canvas.addEventListener("keydown", (event) => this.onKey(card, event));
    more.addEventListener("click", () => {
      card.isWhole = !card.isWhole;
      this.paint(card);
    });
    this.cards.set(step.place, card);
    return element;
  }

  // Show other results.
  show(results) {
    if (!results) return;
    this.results = results;
    for (const card of this.cards.values()) {
      card.isStale = true;
      if (card.isSeen) this.paint(card);
    }
  }

  onSeen({ target, isIntersecting }) {
    const card = this.cards.get(Number(target.dataset.place));
    card.isSeen = isIntersecting;
    if (isIntersecting && card.isStale && this.results) this.paint(card);
  }

  paint(card) {
    const { step, canvas, element } = card;
    const values = this.results[step.place];
    const { low, high, most } = rangeOf(values);
    card.layout = this.layout(card, element.clientWidth || 300);
    paintAtlas(canvas, { values, most, ...card.layout.picture });
    canvas.style.width = `${canvas.width / card.layout.density}px`;
    const view = card.view ? `view ${card.view}, ` : "";
    const own = card.beside > 1 ? `${step.name}: ` : "";
    card.label.textContent = `${view}${own}${sizeOf(step.shape)}, from ${short(low)} to ${short(high)}`;
    const what = step.shape.length === 3 ? `${step.shape[2]} maps` : `${step.shape.at(-1)} numbers`;
    canvas.setAttribute("aria-label", `${step.name}: ${what} of ${sizeOf(step.shape)}. Enter opens one; arrows move.`);
    card.isStale = false;
    this.mark(card);
  }

  layout(card, width) {
    const { shape } = card.step;
    const isMaps = shape.length === 3;
    const channels = shape.at(-1);
    const density = Math.min(2, Math.max(1, Math.round(devicePixelRatio)));
    if (!isMaps) return this.vectorLayout(card, width, density);
    const side = Math.max(LEAST_TILE, Math.min(MOST_TILE, shape[1] * Math.ceil(LEAST_TILE / shape[1])));
    const shown = card.isWhole ? channels : Math.min(channels, FIRST_MAPS);
    const columns = Math.max(1, Math.min(shown, Math.floor((width + GAP) / (side + GAP))));
    this.offer(card, shown, channels, "maps");
    const picture = { shape, count: shown, columns, tile: side * density, gap: GAP * density };
    return { picture, density, side, down: (side * shape[0]) / shape[1], columns, isMaps, count: shown };
  }

  vectorLayout(card, width, density) {
    const count = this.network.shape(card.step.place).reduce((product, side) => product * side, 1);
    const columns = Math.max(1, Math.min(count, Math.floor((width + GAP) / (CELL + GAP))));
    const shown = card.isWhole ? count : Math.min(count, columns * MOST_ROWS);
    this.offer(card, shown, count, "numbers");
    const picture = { shape: [1, 1, count], count: shown, columns, tile: CELL * density, gap: GAP * density };
    return { picture, density, side: CELL, down: CELL, columns, isMaps: false, count: shown };
  }

  offer(card, shown, all, noun) {
    card.more.hidden = !card.isWhole && shown === all;
    card.more.textContent = card.isWhole ? "Show fewer" : `Show all ${all.toLocaleString("en")} ${noun}`;
  }

  onClick(card, event) {
    if (card.isStale) this.paint(card);
    const { side, down, columns, count, isMaps } = card.layout;
    const box = card.canvas.getBoundingClientRect();
    const scale = card.canvas.width / card.layout.density / box.width;
    const [x, y] = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
    const [column, row] = [Math.floor(x / (side + GAP)), Math.floor(y / (down + GAP))];
    const channel = row * columns + column;
    if (channel >= count || column >= columns) return;
    const { shape } = card.step;
    const inside = (at, size, cells) => Math.max(0, Math.min(cells - 1, Math.floor((at / size) * cells)));
    const pixel = isMaps
      ? [inside(y - row * (down + GAP), down, shape[0]), inside(x - column * (side + GAP), side, shape[1])]
      : [0, 0];
    this.select(card.step, channel, pixel);
  }

  onKey(card, event) {
    if (card.isStale) this.paint(card);
    const moves = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -card.layout.columns, ArrowDown: card.layout.columns };
    const isOwn = this.chosen?.step === card.step;
    if (event.key === "Enter" || event.key === " ") this.select(card.step, isOwn ? this.chosen.channel : 0, null);
    else if (event.key in moves) {
      const next = (isOwn ? this.chosen.channel : -moves[event.key]) + moves[event.key];
      this.select(card.step, Math.max(0, Math.min(card.layout.count - 1, next)), isOwn ? this.chosen.pixel : null);
    } else return;
    event.preventDefault();
  }

  // Choose a map, and a place on it; without one, the place where the map is strongest.
  select(step, channel, pixel) {
    const at = pixel ?? this.strongest(step, channel);
    const before = this.chosen;
    this.chosen = { step, channel, pixel: at };
    if (before) this.mark(this.cards.get(before.step.place));
    this.mark(this.cards.get(step.place));
    this.choose(step, channel, at);
  }

  strongest(step, channel) {
    if (step.shape.length !== 3) return [0, 0];
    const [height, width, channels] = step.shape;
    const values = this.results[step.place];
    let best = 0;
    for (let i = 1; i < height * width; i++) {
      if (Math.abs(values[i * channels + channel]) > Math.abs(values[best * channels + channel])) best = i;
    }
    return [Math.floor(best / width), best % width];
  }

  // Draw a frame around the chosen map.
  mark(card) {
    card.element.querySelector(".frame-of-map")?.remove();
    if (this.chosen?.step !== card.step || !card.layout || this.chosen.channel >= card.layout.count) return;
    const { side, down, columns } = card.layout;
    const [row, column] = [Math.floor(this.chosen.channel / columns), this.chosen.channel % columns];
    const frame = make("i", { className: "frame-of-map" });
    const [left, top] = [column * (side + GAP) - 2, row * (down + GAP) - 2];
    frame.style.cssText = `left:${left}px;top:${card.canvas.offsetTop + top}px;width:${side + 4}px;height:${down + 4}px`;
    card.element.append(frame);
  }
}
