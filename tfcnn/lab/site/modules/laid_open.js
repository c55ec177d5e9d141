// A page with a network laid open: its viewer, its inspector, and the image that they show.

import { byId } from "lab/elements.js";
import { Inspector } from "lab/inspector.js";
import { Viewer } from "lab/viewer.js";

export class LaidOpen {
  constructor(network) {
    this.network = network;
    this.results = null;
    this.pixels = null;
    this.waiting = null;
    this.viewer = new Viewer(byId("viewer"), network, (step, channel, pixel) =>
      this.inspector.show(step, channel, pixel, this.results, this.pixels),
    );
    const go = (step, channel, pixel) => this.viewer.select(step, channel, pixel);
    this.inspector = new Inspector(byId("inspector"), network, go);
    byId("inspector").hidden = true;
  }

  // Compute an image and show it; return its probabilities. Of several images that come while one
  // is computed, only the last is computed, and the others give null.
  async show(pixels) {
    this.next = pixels;
    while (this.waiting) {
      await this.waiting;
      if (this.next !== pixels) return null;
    }
    this.waiting = this.network.compute(pixels);
    try {
      this.results = await this.waiting;
    } finally {
      this.waiting = null;
    }
    this.pixels = pixels;
    this.viewer.show(this.results);
    this.inspector.update(this.results, pixels);
    byId("viewer").dataset.shown = String(Number(byId("viewer").dataset.shown ?? 0) + 1); // images so far
    return this.network.probsOf(this.results[this.network.answer]);
  }
}
