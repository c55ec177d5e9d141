// What is too large for each page: a script beside the pages that is loaded when it is needed.

const found = new Map(); // by name: a promise of the bytes
const waiting = new Map();

self.labPart = (name, text) => waiting.get(name)(unpack(text));

// Return the bytes of a part of the site, such as "wasm".
export function part(name) {
  if (!found.has(name)) found.set(name, new Promise((resolve, reject) => load(name, resolve, reject)));
  return found.get(name);
}

function load(name, resolve, reject) {
  waiting.set(name, resolve);
  const script = document.createElement("script");
  script.src = new URL(`parts/${name}.js`, document.baseURI).href;
  script.onerror = () => reject(new Error(`parts/${name}.js is missing beside this page`));
  document.head.append(script);
}

async function unpack(text) {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
