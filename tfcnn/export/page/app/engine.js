// LiteRT in the page: it computes probabilities and features of one image at a time.

import { loadAndCompile, loadLiteRt, Tensor } from "@litertjs/core";

// Return a function: uint8 pixels of one image in; `{probs, features}`, float32, out.
export async function openModel({ runtime, wasm, model }, shape) {
  self.Module = { wasmBinary: wasm.buffer };
  const url = URL.createObjectURL(new Blob([runtime], { type: "text/javascript" }));
  await loadLiteRt(`${url}#runtime.js`);
  URL.revokeObjectURL(url);
  const compiled = await loadAndCompile(model, { accelerator: "wasm" });
  return async (pixels) => {
    const input = new Tensor(pixels, [1, ...shape]);
    const outputs = await compiled.run({ images: input });
    const answer = { probs: outputs.probs.toTypedArray().slice(), features: outputs.features.toTypedArray().slice() };
    for (const tensor of [input, outputs.probs, outputs.features]) tensor.delete();
    return answer;
  };
}
