// The orientation in EXIF data (a TIFF file without pixels), or in XMP: 1 to 8.

import { inflate } from "tfcnn/inflate.js";

const ORIENTATION = 274;
const WHOLE_NUMBERS = { 1: 1, 3: 2, 4: 4, 8: 2, 9: 4, 13: 4 }; // bytes of a value, by its type
const MOST_TEXT = 2 ** 20; // bytes of a packed text
const IN_XMP = /tiff:Orientation(?:="|>)([0-9])/;
const STARTS = ["II*\0", "MM\0*", "II\0*", "MM*\0"]; // the last two are wrong, and read all the same
const latin = (bytes) => new TextDecoder("latin1").decode(bytes);
const sane = (value) => (value >= 1 && value <= 8 ? value : 1);

// Return the orientation in the body of EXIF data, 0 where it is not said.
export function orientationOf(exif) {
  const start = latin(exif.subarray(0, 6)) === "Exif\0\0" ? 6 : 0;
  const view = new DataView(exif.buffer, exif.byteOffset + start, exif.byteLength - start);
  try {
    const head = latin(exif.subarray(start, start + 4));
    if (!STARTS.includes(head)) return 0;
    const little = head[0] === "I";
    const first = view.getUint32(4, little);
    const entries = view.getUint16(first, little);
    for (let at = first + 2; at < first + 2 + 12 * entries; at += 12) {
      if (view.getUint16(at, little) === ORIENTATION) return valueAt(view, at, little);
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return 0;
}

function valueAt(view, at, little) {
  const size = WHOLE_NUMBERS[view.getUint16(at + 2, little)];
  const count = view.getUint32(at + 4, little);
  if (!size || !count) return 0;
  const place = size * count > 4 ? view.getUint32(at + 8, little) : at + 8;
  if (size === 1) return view.getUint8(place);
  return size === 2 ? view.getUint16(place, little) : view.getUint32(place, little);
}

// Return the orientation of a PNG from its chunk eXIf or from a text, as Pillow finds it.
export function orientationOfPng({ exif, texts }) {
  if (exif && orientationOf(exif)) return sane(orientationOf(exif));
  const named = new Map(texts.map((chunk) => textOf(chunk)));
  const profile = named.get("Raw profile type exif");
  if (!exif && profile) {
    const digits = profile.split("\n").slice(3).join("");
    const bytes = Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
    if (orientationOf(bytes)) return sane(orientationOf(bytes));
  }
  return sane(Number(IN_XMP.exec(named.get("XML:com.adobe.xmp") ?? "")?.[1] ?? 1));
}

// Return the keyword and the text of a chunk tEXt, zTXt or iTXt.
function textOf({ name, body }) {
  const end = body.indexOf(0);
  const keyword = latin(body.subarray(0, Math.max(end, 0)));
  const rest = body.subarray(end + 1);
  if (name === "tEXt") return [keyword, latin(rest)];
  if (name === "zTXt") return [keyword, latin(inflate(rest.subarray(1), MOST_TEXT))];
  const language = rest.indexOf(0, 2);
  const text = rest.subarray(rest.indexOf(0, language + 1) + 1);
  return [keyword, new TextDecoder().decode(rest[0] ? inflate(text, MOST_TEXT) : text)];
}
