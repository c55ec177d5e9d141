// A picture that can be pointed at: a table of numbers where it is small, pixels where it is large.

import { NumberTable } from "lab/number_table.js";
import { make } from "lab/page.js";
import { paintGrey, paintSigned } from "lab/paint.js";

export const TABLE_PX = 10;
const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

export class View {
  constructor(element, label, onPick) {
    Object.assign(this, { element, label, onPick, kind: null });
  }

  // Show a picture; `box` is `[row, column, height, width]` of what is marked.
  show(image, { isSigned, most, box, at }) {
    const isTable = Math.max(...image.shape) <= TABLE_PX;
    if (this.kind !== isTable) this.#build(isTable);
    if (isTable) this.#showTable(image, { isSigned, most, box, at });
    else this.#showPixels(image, { isSigned, most, box });
  }

  #build(isTable) {
    this.kind = isTable;
    if (isTable) {
      const table = make("table");
      this.numbers = new NumberTable(table, { label: this.label, onPick: this.onPick });
      this.element.replaceChildren(make("div", { className: "scroll" }, table));
      return;
    }
    this.canvas = make("canvas", { className: "pixels", attributes: { role: "img", "aria-label": this.label } });
    this.box = make("div", { className: "box" });
    const view = make("div", { className: "view" }, this.canvas, this.box);
    if (this.onPick) this.#listen();
    this.element.replaceChildren(view);
  }

  #showTable(image, { isSigned, most, box, at }) {
    const isIn = (row, column) => row >= box[0] && row < box[0] + box[2] && column >= box[1] && column < box[1] + box[3];
    const marks = (row, column) => (at && at[0] === row && at[1] === column ? "at" : !at && isIn(row, column) ? "in" : "");
    this.numbers.show(image, { marks, fill: isSigned ? "signed" : "grey", most });
    const middle = [0, 1].map((axis) => Math.max(0, Math.min(image.shape[axis] - 1, box[axis] + (box[axis + 2] >> 1))));
    this.numbers.focusable(...(at ?? middle)); // so that Tab moves nothing
  }

  #showPixels(image, { isSigned, most, box }) {
    const [height, width] = image.shape;
    this.shape = image.shape;
    if (isSigned) paintSigned(this.canvas, image.values, height, width, most);
    else paintGrey(this.canvas, image.values.map((value) => (255 * value) / most), height, width);
    const [top, left] = [Math.max(0, box[0]), Math.max(0, box[1])];
    const [bottom, right] = [Math.min(height, box[0] + box[2]), Math.min(width, box[1] + box[3])];
    this.box.style.top = `${(100 * top) / height}%`;
    this.box.style.left = `${(100 * left) / width}%`;
    this.box.style.height = `${(100 * (bottom - top)) / height}%`;
    this.box.style.width = `${(100 * (right - left)) / width}%`;
    this.place = box;
  }

  #listen() {
    this.canvas.tabIndex = 0;
    const pick = (event) => {
      const area = this.canvas.getBoundingClientRect();
      const shares = [(event.clientY - area.top) / area.height, (event.clientX - area.left) / area.width];
      this.onPick(shares.map((share, axis) => Math.min(this.shape[axis] - 1, Math.max(0, Math.floor(share * this.shape[axis])))));
    };
    this.canvas.addEventListener("pointerdown", pick);
    this.canvas.addEventListener("pointermove", (event) => event.buttons && pick(event));
    this.canvas.addEventListener("keydown", (event) => {
      const step = STEPS[event.key];
      if (!step) return;
      event.preventDefault();
      const far = event.shiftKey ? 10 : 1;
      this.onPick([0, 1].map((axis) => Math.min(this.shape[axis] - 1, Math.max(0, this.place[axis] + far * step[axis]))));
    });
  }
}
