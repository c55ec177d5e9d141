// The first script of the page: it unpacks the parts that are no text, and starts the modules.
//
// A part (tfcnn/export/page/packing.py) has 15 bits in a letter, and is packed by gzip. The modules
// are one part, which link.js links.

const FIRST_LETTER = 0x3400;
const BITS = 15;

// Return the bytes of the part of this name.
async function part(name) {
  const element = document.getElementById(`part-${name}`);
  const packed = letters(element.textContent, Number(element.dataset.bytes));
  element.remove(); // its memory is needed elsewhere
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function letters(text, size) {
  const bytes = new Uint8Array(size);
  let [bits, count, at] = [0, 0, 0];
  for (let i = 0; i < text.length; i++) {
    bits = ((bits << BITS) | (text.charCodeAt(i) - FIRST_LETTER)) & 0x3fffff; // 15 and 7 left over
    count += BITS;
    while (count >= 8) {
      count -= 8;
      bytes[at++] = bits >> count; // beyond the end, the last bits fill up a letter
    }
  }
  return bytes;
}

async function boot() {
  const addresses = link(JSON.parse(new TextDecoder().decode(await part("modules"))));
  self.page = { part, addresses };
  await import(addresses["tfcnn/main.js"]);
}

boot().catch((error) => {
  const state = document.getElementById("state");
  state.textContent =
    `This browser cannot unpack the page: ${error.message}. Try a current Chrome, Edge, Firefox or Safari.`;
});
