// What the page holds beside the model: the run's rules as JSON, and the arrays of its domain.

import { part } from "tfcnn/unpack.js";

export async function readSettings() {
  const settings = JSON.parse(document.getElementById("settings").textContent);
  if (settings.domain) Object.assign(settings.domain, await arrays(settings.domain.shapes));
  for (const probe of settings.probes) {
    probe.bytes = Uint8Array.from(atob(probe.base64), (letter) => letter.charCodeAt(0));
  }
  return settings;
}

// Float32 arrays, one after the other: `shapes` says which.
async function arrays(shapes) {
  const bytes = await part("domain");
  let at = 0;
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const length = shape.reduce((product, side) => product * side, 1);
      const values = new Float32Array(bytes.buffer, at, length);
      at += 4 * length;
      return [name, { shape, values }];
    }),
  );
}
