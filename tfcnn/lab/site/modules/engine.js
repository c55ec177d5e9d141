// LiteRT in a page of the lab: its runtime lies beside the pages, and starts when a network is opened.

import { startRuntime } from "tfcnn/engine.js";
import { part } from "lab/parts.js";

let started = null;

// Start LiteRT; a second call waits for the first.
export function startEngine() {
  started ??= Promise.all([part("runtime"), part("wasm")]).then(([runtime, wasm]) => startRuntime({ runtime, wasm }));
  return started;
}
