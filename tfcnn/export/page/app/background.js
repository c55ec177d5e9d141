// Lay an image that is not opaque over black or white, in the whole numbers of Pillow's
// alpha_composite (AlphaComposite.c), and bring it to grey or RGB.

const over255 = (value) => ((value >> 8) + value) >> 8;

// Return an image of 1 or 3 channels.
export function flat(image, background) {
  if (image.channels !== 4) return image;
  const { width, height, data } = image;
  const shade = background === "white" ? 255 : 0;
  const out = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) {
    const alpha = data[4 * i + 3];
    const own = alpha * 128; // seven bits more than a byte
    const under = shade * (255 * 128 - own);
    for (let c = 0; c < 3; c++) {
      const sum = data[4 * i + c] * own + under + (128 << 7);
      out[3 * i + c] = alpha === 0 ? shade : over255(sum) >> 7;
    }
  }
  return { width, height, channels: 3, data: out };
}

// Return an image in the model's number of channels; grey is ITU-R 601 luma as Pillow rounds it.
export function inChannels(image, channels) {
  if (image.channels === channels) return image;
  const { width, height, data } = image;
  const out = new Uint8Array(width * height * channels);
  for (let i = 0; i < width * height; i++) {
    if (channels === 3) out.fill(data[i], 3 * i, 3 * i + 3);
    else out[i] = (data[3 * i] * 19595 + data[3 * i + 1] * 38470 + data[3 * i + 2] * 7471 + 0x8000) >> 16;
  }
  return { width, height, channels, data: out };
}
