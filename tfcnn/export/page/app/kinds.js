// The kind of a file by its first bytes, because its name may be wrong.
//
// `kinds` comes from tfcnn/decode/kinds.py: a list of {start, name, hint, isRead}, `start` in
// Latin-1 letters.

const HEAD = 4096; // bytes
const latin = (bytes) => new TextDecoder("latin1").decode(bytes);
const PHOTOGRAPHS = ["a JPEG image", "a WebP image"]; // which the browser decodes

export function kindOf(bytes, kinds) {
  const head = bytes.subarray(0, HEAD);
  const start = String.fromCharCode(...head.subarray(0, 64));
  const named = (name, hint = "removing it") => ({ name, hint, isRead: false });
  if (!bytes.length) return named("an empty file (0 bytes)", "fetching it again");
  if (head.every((byte) => byte === 0)) return named("a file of zero bytes only", "fetching it again");
  const kind = kinds.find((one) => start.startsWith(one.start));
  if (kind) return { ...kind, isPhotograph: PHOTOGRAPHS.includes(kind.name) };
  if (start.startsWith("RIFF") && start.slice(8, 12) === "WEBP") {
    return { name: "a WebP image", hint: "", isRead: true, isPhotograph: true };
  }
  if (start.startsWith("BM") && bytes.length >= 18) return { ...named("a BMP image"), isRead: true };
  if (/^P[1-6f]\s/.test(start)) return { ...named("a PNM image"), isRead: true };
  if (start.slice(4, 8) === "ftyp") {
    const isAvif = /^avi[fs]/.test(start.slice(8));
    return { ...named(isAvif ? "an AVIF image" : "a HEIC image or a video", "saving it as PNG"), isRead: isAvif };
  }
  return isText(head) ? named("a text file", "removing it, or fetching it again") : null;
}

function isText(head) {
  if (/[\0-\x08\x0b\x0e-\x1f]/.test(latin(head))) return false;
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(head, { stream: true });
    return true;
  } catch {
    return false;
  }
}
