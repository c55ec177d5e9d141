// A JPEG's segments: what its pixels depend on, without the metadata that a browser would apply.

import { orientationInXmp, orientationOf } from "tfcnn/exif.js";
import { Unreadable } from "tfcnn/unreadable.js";

const SCAN = 0xda;
const XMP = "http://ns.adobe.com/xap/1.0/\0";
const LEAST = { 0xe0: 16, 0xed: Infinity, 0xee: 14 }; // bytes of segments that no reader stumbles over
const latin = (bytes) => new TextDecoder("latin1").decode(bytes);
const damaged = (what) => new Unreadable(`a JPEG image, damaged or cut short: ${what}`);

// Return `{bare, orientation, width, height, components}`; `bare` is a JPEG of the same pixels.
export function readJpeg(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const kept = [bytes.subarray(0, 2)];
  const found = { exifs: [], xmps: [], isPlain: true, components: 0, width: 0, height: 0 };
  let at = 2;
  while (at + 4 <= bytes.length) {
    if (bytes[at] !== 0xff) throw damaged("a segment has no mark");
    const code = bytes[at + 1];
    if (code === 0xff) {
      at += 1;
      continue;
    }
    if (code === SCAN) return finished(bytes.subarray(at), kept, found);
    const segment = bytes.subarray(at, at + 2 + view.getUint16(at + 2));
    if (isNeeded(code, segment)) kept.push(segment);
    note(code, segment, found);
    at += segment.length;
  }
  throw damaged("it has no pixels");
}

function isNeeded(code, segment) {
  const start = latin(segment.subarray(4, 10));
  if (code === 0xe0) return start.startsWith("JFIF\0") && segment.length >= 18;
  if (code === 0xee) return start.startsWith("Adobe");
  return !(code >= 0xe0 && code <= 0xef) && code !== 0xfe;
}

function note(code, segment, found) {
  const isFrame = code >= 0xc0 && code <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(code);
  if (isFrame && segment.length >= 10) {
    found.height = segment[5] * 256 + segment[6];
    found.width = segment[7] * 256 + segment[8];
    found.components = segment[9];
  }
  found.isPlain &&= segment.length - 2 >= (LEAST[code] ?? 0);
  if (code !== 0xe1) return;
  const text = latin(segment.subarray(4));
  if (text.startsWith("Exif\0\0")) found.exifs.push(segment.subarray(10));
  else if (text.startsWith(XMP)) found.xmps.push(text);
}

function finished(scan, kept, found) {
  let end = scan.length - 2;
  while (end >= 0 && !(scan[end] === 0xff && scan[end + 1] === 0xd9)) end -= 1;
  if (end < 0) throw damaged("its pixels end too early");
  const exif = found.exifs.length ? joined(found.exifs) : null;
  const isWhole = found.isPlain && found.xmps.length < 2;
  const other = found.xmps.map(orientationInXmp).find((value) => value > 1) ?? 0;
  return { ...found, orientation: orientationOf(exif, other, isWhole), bare: new Blob([...kept, scan], { type: "image/jpeg" }) };
}

// EXIF data of more than one segment go on in the next.
function joined(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => (whole.set(part, at), at + part.length), 0);
  return whole;
}
