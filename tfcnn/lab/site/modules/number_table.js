// A table of numbers that can be pointed at: by mouse, touch, or the arrow keys.

import { make } from "lab/page.js";
import { rgb } from "lab/paint.js";
import { short } from "lab/words.js";

const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

// A table of `rows` x `columns` cells in `element`. `onPick([row, column])` is called when a cell is
// pointed at; only one cell is in the tab order.
export class NumberTable {
  constructor(element, { label, onPick = null }) {
    this.element = element;
    this.onPick = onPick;
    element.classList.add("numbers");
    element.setAttribute("aria-label", label);
    if (!onPick) return;
    element.setAttribute("role", "grid");
    element.addEventListener("click", ({ target }) => this.#pick(target.closest("td")));
    element.addEventListener("pointerover", ({ target, pointerType }) => pointerType === "mouse" && this.#pick(target.closest("td")));
    element.addEventListener("focusin", ({ target }) => this.#pick(target.closest("td")));
    element.addEventListener("keydown", (event) => this.#move(event));
  }

  // Show numbers of a shape (rows, columns). `marks(row, column)` gives the classes of a cell, `fill`
  // its colour: "grey" for pixels in [low, high], "signed" around 0.
  show({ shape: [rows, columns], values }, { marks = () => "", fill = "signed", most = 1, decimals = 2, text = short } = {}) {
    if (this.rows !== rows || this.columns !== columns) this.#build(rows, columns);
    const ends = { paper: rgb("paper"), blue: rgb("blue"), orange: rgb("orange") };
    this.cells.forEach((cell, at) => {
      const value = values[at];
      cell.textContent = text(value, decimals);
      cell.className = marks(Math.floor(at / columns), at % columns);
      paintCell(cell, value, fill, most, ends);
    });
  }

  // Mark a cell as the one that is pointed at, without calling `onPick`.
  focusable(row, column) {
    this.cells.forEach((cell, at) => (cell.tabIndex = at === row * this.columns + column ? 0 : -1));
  }

  #build(rows, columns) {
    [this.rows, this.columns, this.cells] = [rows, columns, []];
    const lines = Array.from({ length: rows }, (_, row) => {
      const cells = Array.from({ length: columns }, (_, column) => make("td", { attributes: { "data-row": row, "data-column": column } }));
      if (this.onPick) cells.forEach((cell) => (cell.tabIndex = -1));
      this.cells.push(...cells);
      return make("tr", {}, ...cells);
    });
    this.element.replaceChildren(make("tbody", {}, ...lines));
    if (this.onPick) this.cells[0].tabIndex = 0;
  }

  #pick(cell) {
    if (!cell) return;
    const [row, column] = [Number(cell.dataset.row), Number(cell.dataset.column)];
    this.focusable(row, column);
    this.onPick([row, column]);
  }

  #move(event) {
    const step = STEPS[event.key];
    const cell = event.target.closest("td");
    if (!step || !cell || event.target.matches("input")) return;
    event.preventDefault();
    const row = Math.min(this.rows - 1, Math.max(0, Number(cell.dataset.row) + step[0]));
    const column = Math.min(this.columns - 1, Math.max(0, Number(cell.dataset.column) + step[1]));
    this.cells[row * this.columns + column].focus();
  }
}

function paintCell(cell, value, fill, most, { paper, blue, orange }) {
  const share = most ? Math.min(1, Math.abs(value) / most) : 0;
  if (fill === "grey") {
    const grey = Math.round(255 * Math.max(0, Math.min(1, value / most)));
    cell.style.background = `rgb(${grey} ${grey} ${grey})`;
    cell.style.color = grey > 120 ? "#000" : "#fff";
    return;
  }
  const end = value < 0 ? orange : blue;
  const mixed = paper.map((from, c) => Math.round(from + 0.55 * share * (end[c] - from)));
  cell.style.background = `rgb(${mixed.join(" ")})`;
  cell.style.color = "var(--ink)";
}
