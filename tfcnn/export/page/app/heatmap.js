// Where the model looks: each part of the picture is greyed in turn, and the map says by how much
// the probability of the decided class falls (occlusion; Zeiler and Fergus, "Visualizing and
// understanding convolutional networks", 2014).

const PARTS = 10; // patches along the shorter side; each overlaps its neighbours by half

// Return `{map, lowest, highest}`: for each pixel of the model's input the mean fall, in shares of 1.
//
// `look(pixels)` gives probabilities; `place` is the class; `isWanted()` says whether to go on.
export async function occlusion(pixels, decoder, place, look, isWanted) {
  const [height, width] = decoder.image_size;
  const side = Math.max(2, Math.round((2 * Math.min(height, width)) / PARTS));
  const step = Math.max(1, side >> 1);
  const whole = (await look(pixels)).probs[place];
  const sums = new Float64Array(height * width);
  const counts = new Uint16Array(height * width);
  for (let top = step - side; top < height; top += step) {
    for (let left = step - side; left < width; left += step) {
      const box = [Math.max(0, top), Math.max(0, left), Math.min(height, top + side), Math.min(width, left + side)];
      const fall = whole - (await look(greyed(pixels, decoder, box))).probs[place];
      eachPixel(box, width, (i) => {
        sums[i] += fall;
        counts[i] += 1;
      });
    }
    await new Promise((resume) => setTimeout(resume));
    if (!isWanted()) return null;
  }
  const map = sums.map((sum, i) => sum / counts[i]);
  return { map, highest: map.reduce((a, b) => Math.max(a, b)), lowest: map.reduce((a, b) => Math.min(a, b)) };
}

function eachPixel([top, left, bottom, right], width, visit) {
  for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) visit(y * width + x);
}

// The picture with a box in the picture's own mean colour.
function greyed(pixels, { image_size: [, width], channels }, box) {
  const out = pixels.slice();
  const count = pixels.length / channels;
  for (let c = 0; c < channels; c++) {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += pixels[i * channels + c];
    const mean = Math.round(sum / count);
    eachPixel(box, width, (i) => (out[i * channels + c] = mean));
  }
  return out;
}
