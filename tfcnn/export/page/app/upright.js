// Turn an image that lies in one of EXIF's eight ways as it is to be seen.

const ACROSS = [2, 3, 6, 7]; // orientations that flip left and right, after axes are swapped
const DOWN = [3, 4, 7, 8];

export function upright(image, orientation) {
  if (orientation === 1) return image;
  const { width, height, channels, data } = image;
  const isSwapped = orientation >= 5;
  const [newWidth, newHeight] = isSwapped ? [height, width] : [width, height];
  const out = new Uint8Array(data.length);
  for (let y = 0; y < newHeight; y++) {
    const down = DOWN.includes(orientation) ? newHeight - 1 - y : y;
    for (let x = 0; x < newWidth; x++) {
      const across = ACROSS.includes(orientation) ? newWidth - 1 - x : x;
      const from = (isSwapped ? across * width + down : down * width + across) * channels;
      const to = (y * newWidth + x) * channels;
      for (let c = 0; c < channels; c++) out[to + c] = data[from + c];
    }
  }
  return { width: newWidth, height: newHeight, channels, data: out };
}
