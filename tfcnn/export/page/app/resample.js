// Resize as Pillow does: bilinear, antialiased when it shrinks, in 8-bit fixed point.
//
// A port of ImagingResample (Pillow, src/libImaging/Resample.c): one pass along each side, rounded
// to bytes between the two. Pillow 13 begins with the vertical pass where that is shorter by its
// own count, earlier ones always with the horizontal pass.

const PRECISION = 22; // bits: 32 less the 8 of a byte and two for sums beyond 0..255
const SUPPORT = 1; // of the bilinear filter, in px

// Return a `(height, width)` image from a box `[left, top, right, bottom]` of another, in px.
//
// `mayBeginDown` says whether the Pillow that is followed may begin with the vertical pass.
export function resize(image, height, width, mayBeginDown, box = [0, 0, image.width, image.height]) {
  const [left, top, right, bottom] = box.map(Math.fround); // as the C function takes them
  const isWhole = width === image.width && height === image.height;
  if (isWhole && left === 0 && top === 0 && right === width && bottom === height) return image;
  const across = weights(image.width, left, right, width);
  const down = weights(image.height, top, bottom, height);
  const isAcross = width !== image.width || left !== 0 || right !== width;
  const isDown = height !== image.height || top !== 0 || bottom !== height;
  const passes = [
    (part) => (isAcross ? resizeAcross(part, width, across) : part),
    (part) => (isDown ? resizeDown(part, height, down) : part),
  ];
  if (mayBeginDown && beginsDown(image, height, width)) passes.reverse();
  return passes.reduce((part, pass) => pass(part), image);
}

const beginsDown = (image, height, width) =>
  height < image.height && image.height - height > 2 * (image.width - width);

const triangle = (x) => Math.max(0, 1 - Math.abs(x));

// Return for each pixel of the output the first pixel that it is made of, and their weights.
function weights(inSize, from, to, outSize) {
  const scale = Math.fround(to - from) / outSize;
  const filterScale = Math.max(scale, 1);
  const support = SUPPORT * filterScale;
  const taps = Math.ceil(support) * 2 + 1;
  const firsts = new Int32Array(outSize);
  const counts = new Int32Array(outSize);
  const values = new Int32Array(outSize * taps);
  for (let i = 0; i < outSize; i++) {
    const center = from + (i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - support + 0.5));
    const count = Math.min(inSize, Math.trunc(center + support + 0.5)) - first;
    const row = new Float64Array(count);
    let sum = 0;
    for (let k = 0; k < count; k++) {
      row[k] = triangle((k + first - center + 0.5) * (1 / filterScale));
      sum += row[k];
    }
    for (let k = 0; k < count; k++) {
      const share = sum !== 0 ? row[k] / sum : row[k];
      values[i * taps + k] = Math.trunc(0.5 + share * 2 ** PRECISION);
    }
    firsts[i] = first;
    counts[i] = count;
  }
  return { firsts, counts, values, taps };
}

function resizeAcross({ height, width, channels, data }, newWidth, { firsts, counts, values, taps }) {
  const out = new Uint8ClampedArray(height * newWidth * channels);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < newWidth; x++) {
      const start = (y * width + firsts[x]) * channels;
      for (let c = 0; c < channels; c++) {
        let sum = 1 << (PRECISION - 1);
        for (let k = 0; k < counts[x]; k++) sum += data[start + k * channels + c] * values[x * taps + k];
        out[(y * newWidth + x) * channels + c] = sum >> PRECISION;
      }
    }
  }
  return { height, width: newWidth, channels, data: out };
}

function resizeDown({ width, channels, data }, newHeight, { firsts, counts, values, taps }) {
  const stride = width * channels;
  const out = new Uint8ClampedArray(newHeight * stride);
  for (let y = 0; y < newHeight; y++) {
    const start = firsts[y] * stride;
    for (let i = 0; i < stride; i++) {
      let sum = 1 << (PRECISION - 1);
      for (let k = 0; k < counts[y]; k++) sum += data[start + k * stride + i] * values[y * taps + k];
      out[y * stride + i] = sum >> PRECISION;
    }
  }
  return { height: newHeight, width, channels, data: out };
}
