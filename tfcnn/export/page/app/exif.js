// How a picture lies, 1 to 8, by its EXIF data (a TIFF file without pixels) or by its XMP.
//
// tfcnn reads EXIF data itself and asks Pillow where they say nothing; of damaged data the two make
// what they can. The page takes only what every reader understands alike. Of the rest it says that
// it cannot tell: a picture turned otherwise is another picture to the model.

import { inflateWhole } from "tfcnn/inflate.js";
import { Unreadable } from "tfcnn/unreadable.js";

const ORIENTATION = 274;
// bytes of a value of each type (TIFF Revision 6.0; 16 to 18 are BigTIFF's)
const SIZES = { 1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8 };
const WHOLE_NUMBERS = [3, 4, 8, 9, 13]; // types
const MOST_TEXT = 2 ** 20; // bytes of a packed text
const IN_XMP = /tiff:Orientation(?:="|>)([0-9])/;
const STARTS = ["II*\0", "MM\0*", "II\0*", "MM*\0"]; // the last two are wrong, and read all the same
const ODD_STARTS = ["II+\0", "MM\0+", "Exif"]; // BigTIFF, and a start within a start
const latin = (bytes) => new TextDecoder("latin1").decode(bytes);
const isSane = (value) => value >= 1 && value <= 8;
const sane = (value) => (isSane(value) ? value : 1);

const unclear = () =>
  new Unreadable(
    "an image whose metadata are damaged, so that this page cannot tell which side is up",
    "saving it anew, or `tfcnn predict`",
  );

// Return the orientation that XMP say, 0 where they say none.
export const orientationInXmp = (text) => Number(IN_XMP.exec(text)?.[1] ?? 0);

// Return `{value, isSound}` of EXIF data: `value` is 0 where they say none, and `isSound` says
// whether the values of all its entries are there.
function readExif(bytes) {
  if (!bytes.length) return { value: 0, isSound: true };
  const head = latin(bytes.subarray(0, 4));
  if (ODD_STARTS.includes(head)) throw unclear();
  if (!STARTS.includes(head)) return { value: 0, isSound: false };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = head[0] === "I";
  let [value, isSound, isFound, sum] = [0, true, false, 0];
  try {
    const first = view.getUint32(4, little);
    const entries = view.getUint16(first, little);
    for (let at = first + 2; at < first + 2 + 12 * entries; at += 12) {
      const [type, count] = [view.getUint16(at + 2, little), view.getUint32(at + 4, little)];
      const place = view.getUint32(at + 8, little);
      const size = (SIZES[type] ?? 0) * count;
      sum += size;
      isSound &&= size > 0 && (size <= 4 || place + size <= bytes.length);
      if (view.getUint16(at, little) !== ORIENTATION) continue;
      if (isFound || !WHOLE_NUMBERS.includes(type) || count !== 1) throw unclear();
      isFound = true;
      value = size === 2 ? view.getUint16(at + 8, little) : place;
    }
  } catch (error) {
    throw error instanceof RangeError ? unclear() : error; // cut short
  }
  return { value, isSound: isSound && sum <= bytes.length, isFound };
}

// Return the orientation, given EXIF data or null, and what other metadata say: 0 for nothing, null
// where they are damaged.
//
// `isWhole` says whether the other metadata are sound; `isSecond` whether only Pillow reads the EXIF
// data, which gives up at the first broken entry.
export function orientationOf(exif, other, isWhole, isSecond = false) {
  const { value, isSound, isFound } = exif ? readExif(exif) : { value: 0, isSound: true, isFound: false };
  if (isSane(value) && !(isSecond && !isSound)) return value;
  if (other !== null && sane(other) === 1 && !isSane(value)) return 1;
  if (other === null || !isSound || !isWhole || isSecond) throw unclear();
  return isFound ? 1 : other;
}

const START = "Exif\0\0";
const withoutStart = (bytes) => (latin(bytes.subarray(0, 6)) === START ? bytes.subarray(6) : bytes);

// Return the orientation of a PNG from its chunks eXIf or from a text, as Pillow finds it.
//
// `isLate` says whether the EXIF data are behind the pixels, where not every reader gets to them.
export function orientationOfPng({ exifs, isLate, texts, isPlain }) {
  const named = texts.map(textOf).filter(([keyword]) => TELLING.includes(keyword));
  const textsOf = (keyword) => named.filter(([own]) => own === keyword).map(([, text]) => text);
  if (exifs.length > 1 || named.some(([keyword]) => ["exif", "xmp"].includes(keyword))) throw unclear();
  const [xmps, profiles] = [textsOf("XML:com.adobe.xmp"), textsOf("Raw profile type exif")];
  const isDamaged = named.some(([, text]) => text === null);
  const isWhole = isPlain && !isDamaged && xmps.length < 2 && profiles.length < 2;
  const told = () => xmps.map(orientationInXmp).find((value) => sane(value) !== 1) ?? 0;
  const other = isDamaged ? null : told();
  if (exifs.length) {
    if (isLate && !isPlain) throw unclear();
    const isSecond = latin(exifs[0].subarray(0, 6)) === START;
    return orientationOf(withoutStart(exifs[0]), other, isWhole, isSecond);
  }
  if (!profiles.length) return orientationOf(null, other, isWhole);
  if (!isWhole) throw unclear();
  const digits = profiles[0].split("\n").slice(3).join("").replace(/\s/g, "");
  if (digits.length % 2 || /[^0-9a-f]/i.test(digits)) throw unclear();
  const bytes = Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
  return orientationOf(withoutStart(bytes), other, isWhole, true);
}

const TELLING = ["exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif"];

// Return the keyword and the text of a chunk tEXt, zTXt or iTXt; null for a text that is damaged.
function textOf({ name, body }) {
  const end = body.indexOf(0);
  const keyword = latin(end < 0 ? body : body.subarray(0, end));
  if (!TELLING.includes(keyword)) return [keyword, null];
  const rest = body.subarray(end < 0 ? body.length : end + 1);
  const unpacked = (bytes) => inflateWhole(bytes, MOST_TEXT);
  const inLatin = (bytes) => bytes && latin(bytes);
  if (name === "tEXt") return [keyword, latin(rest)];
  if (name === "zTXt") return [keyword, rest[0] === 0 ? inLatin(unpacked(rest.subarray(1))) : null];
  const language = rest.indexOf(0, 2);
  const translated = rest.indexOf(0, language + 1);
  if (language < 0 || translated < 0 || (rest[0] && rest[1])) return [keyword, null];
  const text = rest.subarray(translated + 1);
  return [keyword, inLatin(rest[0] ? unpacked(text) : text)];
}
