// A JPEG's segments: what its pixels depend on, without the metadata that a browser would apply.

import { orientationOf } from "tfcnn/exif.js";
import { Unreadable } from "tfcnn/unreadable.js";

const SCAN = 0xda;
const IN_XMP = /tiff:Orientation(?:="|>)([0-9])/;
const latin = (bytes) => new TextDecoder("latin1").decode(bytes);
const damaged = (what) => new Unreadable(`a JPEG image, damaged or cut short: ${what}`);

// Return `{bare, orientation, width, height, components}`; `bare` is a JPEG of the same pixels.
export function readJpeg(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const kept = [bytes.subarray(0, 2)];
  const found = { orientation: 0, components: 0, width: 0, height: 0 };
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
  if (code !== 0xe1 || found.orientation) return;
  const start = latin(segment.subarray(4, 9));
  if (start === "Exif\0") found.orientation = orientationOf(segment.subarray(4));
  else found.xmp ??= Number(IN_XMP.exec(latin(segment))?.[1] ?? 0);
}

function finished(scan, kept, found) {
  let end = scan.length - 2;
  while (end >= 0 && !(scan[end] === 0xff && scan[end + 1] === 0xd9)) end -= 1;
  if (end < 0) throw damaged("its pixels end too early");
  const said = found.orientation || found.xmp;
  const orientation = said >= 1 && said <= 8 ? said : 1;
  return { ...found, orientation, bare: new Blob([...kept, scan], { type: "image/jpeg" }) };
}
