// Photographs (JPEG, WebP), which the browser decodes.
//
// Browsers need not decode them to the same pixels. So the page has some small pictures with the
// checksums of the pixels that tfcnn's decoder gives; a kind of file is exact where this browser
// gives these pixels of each of them. Metadata are taken off first: no browser manages colours, or
// turns a picture, that it does not know of.

import { crc32 } from "tfcnn/crc.js";
import { refuseLarge } from "tfcnn/decode.js";
import { readJpeg } from "tfcnn/jpeg.js";
import { Unreadable } from "tfcnn/unreadable.js";
import { upright } from "tfcnn/upright.js";

// Return a function that decodes a photograph; `probes` are {name, bytes, crc} of small pictures.
export async function openBrowserDecoder(probes) {
  const failed = new Set();
  for (const { name, bytes, crc } of probes) {
    try {
      const { image } = await decodePhotograph(bytes, name);
      if (crc32(image.data) !== crc) failed.add(name);
    } catch {
      failed.add(name);
    }
  }
  return {
    failed,
    decode: async (bytes, { name }) => {
      const { image, isPlain } = await decodePhotograph(bytes, name);
      return { image, remark: "", isExact: isPlain && !failed.has(name) };
    },
  };
}

async function decodePhotograph(bytes, name) {
  if (name === "a WebP image") {
    const image = await draw(new Blob([bytes], { type: "image/webp" }), name);
    return { image, isPlain: isPlainWebp(bytes) };
  }
  const jpeg = readJpeg(bytes);
  refuseLarge(jpeg.width, jpeg.height);
  if (![1, 3].includes(jpeg.components)) {
    const what = `a JPEG image of ${jpeg.components} colours, which this page does not read`;
    throw new Unreadable(what, "saving it as PNG, or `tfcnn predict`");
  }
  const image = await draw(jpeg.bare, name);
  return { image: upright(image, jpeg.orientation), isPlain: true };
}

// A simple lossy or lossless file: no alpha, no animation, no colour profile, no orientation.
function isPlainWebp(bytes) {
  return ["VP8 ", "VP8L"].includes(String.fromCharCode(...bytes.subarray(12, 16)));
}

async function draw(blob, name) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  } catch {
    throw new Unreadable(`${name}, damaged, cut short, or of a layout that this browser does not read`);
  }
  const { width, height } = bitmap;
  refuseLarge(width, height);
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const rgba = context.getImageData(0, 0, width, height).data;
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) data[3 * i + c] = rgba[4 * i + c];
  }
  return { width, height, channels: 3, data };
}
