// Read a PNG's samples, bit for bit, as no browser gives them: a browser multiplies colours by
// alpha, manages colours, and keeps 8 of 16 bits.
//
// Chunks, filters and interlacing: W3C, PNG Specification (Third Edition).

import { crc32 } from "tfcnn/crc.js";
import { inflateWhole } from "tfcnn/inflate.js";
import { Unreadable } from "tfcnn/unreadable.js";

const CHANNELS = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 }; // of a colour type
const DEPTHS = { 0: [1, 2, 4, 8, 16], 2: [8, 16], 3: [1, 2, 4, 8], 4: [8, 16], 6: [8, 16] };
// left, top, step across and step down of the seven passes of an interlaced image
const PASSES = [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2],
  [0, 1, 1, 2]];
const WHOLE = [[0, 0, 1, 1]];
const ORDER = {
  0: /^IHDR( tRNS)?( IDAT)+$/,
  2: /^IHDR( PLTE)?( tRNS)?( IDAT)+$/,
  3: /^IHDR PLTE( tRNS)?( IDAT)+$/,
  4: /^IHDR( IDAT)+$/,
  6: /^IHDR( PLTE)?( IDAT)+$/,
}; // of the chunks that pixels depend on, by colour type
const LEAST = { gAMA: 4, sRGB: 1, cHRM: 32, pHYs: 9 }; // bytes
const ANIMATION = ["acTL", "fcTL", "fdAT"];
const MOST_PACKED = 2 ** 20; // bytes of a text or a colour profile
const damaged = (what) => new Unreadable(`a PNG image, damaged or cut short: ${what}`);

// Return `{width, height, channels, depth, colourType, samples, palette, transparency, texts, exifs,
// isLate, isPlain, frames}` of a PNG file; samples are as they are written, one number each, and `isPlain`
// says whether no reader stumbles over its metadata.
export function readPng(bytes, refuse) {
  const chunks = readChunks(bytes);
  if (chunks[0]?.name !== "IHDR") throw damaged("it has no header");
  const image = readHeader(chunks[0].body);
  refuse(image.width, image.height);
  refuseDisorder(chunks, image);
  const first = (name) => chunks.find((chunk) => chunk.name === name)?.body ?? null;
  const packed = join(chunks.filter(({ name }) => name === "IDAT").map(({ body }) => body));
  image.samples = readSamples(image, packed);
  image.palette = first("PLTE");
  image.transparency = first("tRNS");
  image.exifs = chunks.filter(({ name }) => name === "eXIf").map(({ body }) => body);
  const place = (wanted) => chunks.map(({ name }) => name).lastIndexOf(wanted);
  image.isLate = place("eXIf") > place("IDAT");
  image.isPlain = chunks.every(isPlain);
  image.texts = chunks.filter(({ name }) => ["tEXt", "zTXt", "iTXt"].includes(name));
  refuseParts(chunks, image);
  const animation = first("acTL");
  image.frames = animation?.length >= 8 ? view(animation).getUint32(0) : 1;
  return image;
}

// The first frame of an animation may be a part of the picture only by mistake.
function refuseParts(chunks, { width, height }) {
  const start = chunks.findIndex(({ name }) => name === "IDAT");
  for (const { name, body } of chunks.slice(0, start)) {
    if (name !== "fcTL" || body.length < 20) continue;
    const isWhole = [width, height, 0, 0].every((side, i) => view(body).getUint32(4 + 4 * i) === side);
    if (!isWhole) throw damaged("its first frame is not the whole picture");
  }
}

// Of chunks that come twice, or where they must not be, each reader makes something else.
function refuseDisorder(chunks, { colourType, channels }) {
  const names = chunks.map(({ name }) => name);
  const pixels = names.slice(names.indexOf("IDAT"), names.lastIndexOf("IDAT"));
  const isWhole = ORDER[colourType].test(names.filter(isNeeded).join(" ")) && pixels.every(isNeeded);
  if (!isWhole) throw damaged("its parts are not in order");
  const [palette, clear] = ["PLTE", "tRNS"].map((wanted) => chunks.find(({ name }) => name === wanted)?.body);
  if (palette && (palette.length % 3 || !palette.length || palette.length > 768)) throw damaged("its palette is no palette");
  const isRight = colourType === 3 ? 3 * clear?.length <= palette.length : clear?.length === 2 * channels;
  if (clear && !isRight) throw damaged("its chunk tRNS has a wrong length");
}

const view = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

// Chunks up to the end of the image. What pixels depend on must be whole and have its checksum;
// Pillow reads on where only a checksum of pixels is wrong, here no damaged pixel is ever shown to
// the model. Where metadata in front of the pixels are damaged, none count.
function readChunks(bytes) {
  const chunks = [];
  const numbers = view(bytes);
  let at = 8;
  let hasSoundMetadata = true;
  while (at + 8 <= bytes.length) {
    const length = numbers.getUint32(at);
    const name = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (!/^[A-Za-z]{4}$/.test(name)) throw damaged("a chunk has no name");
    const end = at + 12 + length;
    if (end > bytes.length) throw damaged(`its chunk ${name} is cut short`);
    const isSound = crc32(bytes.subarray(at + 4, end - 4)) === numbers.getUint32(end - 4);
    if (!isSound && isNeeded(name)) throw damaged(`its chunk ${name} is damaged`);
    if (name === "IEND") break;
    hasSoundMetadata &&= isSound || chunks.some((chunk) => chunk.name === "IDAT");
    chunks.push({ name, body: bytes.subarray(at + 8, at + 8 + length), isSound });
    at = end;
  }
  return hasSoundMetadata ? chunks : chunks.filter(({ name }) => isNeeded(name) || name === "eXIf");
}

// Metadata over which Pillow stumbles make it read the file anew without them.
function isPlain({ name, body, isSound }) {
  if (!isSound || ANIMATION.includes(name) || body.length < (LEAST[name] ?? 0)) return false;
  const end = body.indexOf(0);
  const isPacked = ["iCCP", "zTXt"].includes(name) || (name === "iTXt" && body[end + 1]);
  if (!isPacked) return true;
  return end >= 0 && name !== "iTXt" && body[end + 1] === 0 && inflateWhole(body.subarray(end + 2), MOST_PACKED) !== null;
}

const isNeeded = (name) => name[0] < "a" || name === "tRNS";

function readHeader(body) {
  if (body.length !== 13) throw damaged("its header is of no known layout");
  const [depth, colourType, packing, filter, interlace] = body.subarray(8, 13);
  const width = view(body).getUint32(0);
  const height = view(body).getUint32(4);
  if (!DEPTHS[colourType]?.includes(depth) || packing || filter || interlace > 1 || !width || !height) {
    throw damaged("its header is of no known layout");
  }
  return { width, height, depth, colourType, channels: CHANNELS[colourType], interlaced: interlace > 0 };
}

function join(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function readSamples(image, packed) {
  const { width, height, channels, depth, interlaced } = image;
  const passes = (interlaced ? PASSES : WHOLE)
    .map(([left, top, across, down]) => {
      const columns = Math.ceil((width - left) / across);
      const rows = Math.ceil((height - top) / down);
      return { left, top, across, down, columns, rows, bytes: Math.ceil((columns * channels * depth) / 8) };
    })
    .filter(({ columns, rows }) => columns > 0 && rows > 0);
  const wanted = passes.reduce((sum, { rows, bytes }) => sum + rows * (1 + bytes), 0);
  const filtered = inflateWhole(packed, wanted);
  if (!filtered || filtered.length < wanted) throw damaged("its pixels are not whole");
  const samples = new (depth === 16 ? Uint16Array : Uint8Array)(width * height * channels);
  let at = 0;
  for (const pass of passes) {
    const size = pass.rows * (1 + pass.bytes);
    const rows = filtered.subarray(at, at + size);
    unfilter(rows, pass.bytes, Math.max(1, (channels * depth) >> 3));
    spread(rows, pass, image, samples);
    at += size;
  }
  return samples;
}

// Undo the filters of rows in place; each row begins with the number of its filter.
function unfilter(rows, rowBytes, pixelBytes) {
  const stride = rowBytes + 1;
  let above = new Uint8Array(rowBytes);
  for (let start = 0; start < rows.length; start += stride) {
    const row = rows.subarray(start + 1, start + stride);
    const kind = rows[start];
    if (kind > 4) throw damaged("a row has an unknown filter");
    if (kind === 1) for (let i = pixelBytes; i < rowBytes; i++) row[i] += row[i - pixelBytes];
    else if (kind === 2) for (let i = 0; i < rowBytes; i++) row[i] += above[i];
    else if (kind === 3) {
      for (let i = 0; i < rowBytes; i++) row[i] += ((i < pixelBytes ? 0 : row[i - pixelBytes]) + above[i]) >> 1;
    } else if (kind === 4) unfilterPaeth(row, above, pixelBytes);
    above = row;
  }
}

function unfilterPaeth(row, above, pixelBytes) {
  for (let i = 0; i < row.length; i++) {
    const left = i < pixelBytes ? 0 : row[i - pixelBytes];
    const corner = i < pixelBytes ? 0 : above[i - pixelBytes];
    const up = above[i];
    const toLeft = Math.abs(up - corner);
    const toUp = Math.abs(left - corner);
    const toCorner = Math.abs(left + up - 2 * corner);
    row[i] += toLeft <= toUp && toLeft <= toCorner ? left : toUp <= toCorner ? up : corner;
  }
}

// Write the samples of a pass to their places in the image.
function spread(rows, pass, image, samples) {
  const { width, channels, depth } = image;
  const most = (1 << Math.min(depth, 8)) - 1;
  for (let y = 0; y < pass.rows; y++) {
    const start = y * (1 + pass.bytes) + 1;
    const target = (pass.top + y * pass.down) * width + pass.left;
    for (let i = 0; i < pass.columns * channels; i++) {
      const x = Math.floor(i / channels);
      const place = (target + x * pass.across) * channels + (i - x * channels);
      if (depth === 16) samples[place] = (rows[start + 2 * i] << 8) | rows[start + 2 * i + 1];
      else if (depth === 8) samples[place] = rows[start + i];
      else samples[place] = (rows[start + ((i * depth) >> 3)] >> (8 - depth - ((i * depth) & 7))) & most;
    }
  }
}
