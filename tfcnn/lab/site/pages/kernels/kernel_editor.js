// The kernel as a table of numbers to type.

import { make } from "lab/page.js";

// Show a kernel, `{shape, values}`, in a table; `onChange` hears of what is typed.
export class KernelEditor {
  constructor(table, onChange) {
    Object.assign(this, { table, onChange });
    table.classList.add("numbers");
    table.addEventListener("input", () => this.#read());
    table.addEventListener("keydown", (event) => this.#step(event));
    table.addEventListener("focusin", ({ target }) => target.select());
  }

  set(kernel) {
    this.kernel = kernel;
    const [rows, columns] = kernel.shape;
    this.inputs = kernel.values.map((value, at) =>
      make("input", {
        type: "text", inputMode: "text", autocomplete: "off", value: asText(value),
        attributes: { "aria-label": `Weight in row ${Math.floor(at / columns) + 1}, column ${(at % columns) + 1}` },
      }),
    );
    const lines = Array.from({ length: rows }, (_, row) =>
      make("tr", {}, ...this.inputs.slice(row * columns, (row + 1) * columns).map((input) => make("td", {}, input))),
    );
    this.table.replaceChildren(make("tbody", {}, ...lines));
    this.table.classList.toggle("five", columns > 3);
  }

  #read() {
    const values = this.inputs.map((input) => asNumber(input.value));
    this.inputs.forEach((input, i) => input.setAttribute("aria-invalid", !Number.isFinite(values[i])));
    if (!values.every(Number.isFinite)) return;
    this.kernel = { shape: this.kernel.shape, values };
    this.onChange(this.kernel);
  }

  #step(event) {
    const change = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    const value = change && asNumber(event.target.value);
    if (!Number.isFinite(value)) return;
    event.preventDefault();
    event.target.value = asText(Number((value + change * (event.shiftKey ? 0.1 : 1)).toFixed(6)));
    this.#read();
  }
}

const asText = (value) => String(Number(value.toFixed(6)));

// Return the number that a reader means: "1/9", "-0,5" and "\u22122" too; NaN for none.
export function asNumber(text) {
  const plain = text.trim().replace("\u2212", "-").replace(",", ".");
  const [, above, below] = plain.match(/^(-?\d+)\s*\/\s*(\d+)$/) ?? [];
  return above ? Number(above) / Number(below) : plain === "" ? NaN : Number(plain);
}
