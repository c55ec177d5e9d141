// A network in the page: LiteRT gives the result of every layer for one image.
//
// `description` comes from tfcnn/lab/inside/description.py, and what it names lies in the parts
// `NAME-model` and `NAME-rest` of the site.

import { loadAndCompile, Tensor } from "@litertjs/core";
import { startEngine } from "lab/engine.js";
import { part } from "lab/parts.js";

export async function openNetwork(name, description) {
  const [model, rest] = await Promise.all([part(`${name}-model`), part(`${name}-rest`), startEngine()]);
  const files = { model: model.slice(), rest };
  const compiled = await loadAndCompile(model, { accelerator: "wasm" });
  return new Network(description, compiled, files);
}

class Network {
  constructor(description, compiled, files) {
    Object.assign(this, description); // image, answer, outputs, steps
    this.compiled = compiled;
    this.files = files;
    this.byPlace = new Map(this.steps.map((step) => [step.place, step]));
    this.found = new Map(); // weights by step and name
  }

  shape(place) {
    return place ? this.byPlace.get(place).shape : this.image;
  }

  // Return the result of each place, float32, for uint8 pixels of one image.
  async compute(pixels, places = this.outputs.map((_, place) => place)) {
    const input = new Tensor(pixels, [1, ...this.image]);
    const given = await this.compiled.run({ images: input });
    const read = new Map();
    for (const place of places) {
      const name = this.outputs[place];
      if (!read.has(name)) read.set(name, given[name].toTypedArray().slice());
    }
    for (const tensor of [input, ...Object.values(given)]) tensor.delete();
    return places.map((place) => read.get(this.outputs[place]));
  }

  // Return the probabilities that a result stands for: one sigmoid unit is made two classes.
  probsOf(answer) {
    return answer.length === 1 ? [1 - answer[0], answer[0]] : Array.from(answer);
  }

  // Return `{shape, values}` of a weight as Keras has it, or null.
  weight(step, name) {
    const placed = step.weights[name];
    if (!placed) return null;
    const key = `${step.place} ${name}`;
    if (!this.found.has(key)) this.found.set(key, this.read(placed));
    return this.found.get(key);
  }

  read({ shape, file, start, order }) {
    const count = shape.reduce((product, side) => product * side, 1);
    const from = new Float32Array(this.files[file].slice(start, start + 4 * count).buffer);
    if (order.every((axis, i) => axis === i)) return { shape, values: from };
    const values = new Float32Array(count);
    const steps = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, side) => product * side, 1));
    const index = order.map(() => 0); // in the order in which the values lie
    for (let i = 0; i < count; i++) {
      values[order.reduce((at, axis, j) => at + index[j] * steps[axis], 0)] = from[i];
      for (let j = order.length - 1; j >= 0 && ++index[j] === shape[order[j]]; j--) index[j] = 0;
    }
    return { shape, values };
  }
}
