// LiteRT in the page: it computes probabilities and features of one image at a time.

import { loadAndCompile, loadLiteRt, Tensor } from "@litertjs/core";

// In place of the browser's graphics processor, which LiteRT.js would ask for and not use here.
const NO_GPU = { requestAdapter: async () => ({ limits: {}, features: new Set(), requestDevice: async () => null }) };

// Start the runtime, once in a page: the text of its script, and its WASM.
export async function startRuntime({ runtime, wasm }) {
  self.Module = { wasmBinary: wasm.buffer, print: () => {}, printErr: () => {} };
  Object.defineProperty(navigator, "gpu", { configurable: true, value: NO_GPU });
  // without its own charset it would be read as the page is, in UTF-16
  const script = new Blob([runtime], { type: "text/javascript;charset=utf-8" });
  const url = URL.createObjectURL(script);
  await loadLiteRt(`${url}#runtime.js`);
  URL.revokeObjectURL(url);
  delete navigator.gpu;
}

// Return a function: uint8 pixels of one image in; `{probs, features}`, float32, out.
export async function openModel({ runtime, wasm, model }, shape) {
  await startRuntime({ runtime, wasm });
  const compiled = await loadAndCompile(model, { accelerator: "wasm" });
  return async (pixels) => {
    const input = new Tensor(pixels, [1, ...shape]);
    const outputs = await compiled.run({ images: input });
    const answer = { probs: outputs.probs.toTypedArray().slice(), features: outputs.features.toTypedArray().slice() };
    for (const tensor of [input, outputs.probs, outputs.features]) tensor.delete();
    return answer;
  };
}
