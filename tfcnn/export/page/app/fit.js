// Bring an image to the model's size as THE decoder does: stretched, padded, or cropped.

import { resize } from "tfcnn/resample.js";
import { roundHalfEven } from "tfcnn/numbers.js";

// Return an image as the decoder's settings ask for.
export function fitted(image, decoder) {
  const [height, width] = decoder.image_size;
  if (image.width === width && image.height === height) return image;
  const resized = (...args) => resize(image, args[0], args[1], decoder.may_begin_down, args[2]);
  if (decoder.fit === "stretch") return resized(height, width);
  if (decoder.fit === "pad") return padded(image, height, width, decoder.background, resized);
  return resized(height, width, middle(image, height, width));
}

// As PIL.ImageOps.pad.
function padded(image, height, width, background, resized) {
  const [down, across] = contained(image, height, width);
  const out = new Uint8Array(height * width * image.channels);
  out.fill(background === "white" ? 255 : 0);
  const whole = { width, height, channels: image.channels, data: out };
  if (!down || !across) return whole;
  const inside = resized(down, across);
  if (across === width && down === height) return inside;
  const left = across === width ? 0 : roundHalfEven((width - across) * 0.5);
  const top = across === width ? roundHalfEven((height - down) * 0.5) : 0;
  const stride = across * image.channels;
  for (let y = 0; y < down; y++) {
    const row = inside.data.subarray(y * stride, (y + 1) * stride);
    out.set(row, ((top + y) * width + left) * image.channels);
  }
  return whole;
}

// As PIL.ImageOps.contain: the size within which the image keeps its shape.
function contained(image, height, width) {
  const ratio = image.width / image.height;
  if (ratio === width / height) return [height, width];
  if (ratio > width / height) return [roundHalfEven((image.height / image.width) * width), width];
  return [height, roundHalfEven(ratio * height)];
}

// As PIL.ImageOps.fit: the box in the middle of the image that has the wanted shape.
function middle(image, height, width) {
  const ratio = width / height;
  let [across, down] = [image.width, image.height];
  if (image.width / image.height > ratio) across = ratio * down;
  else if (image.width / image.height < ratio) down = across / ratio;
  const left = (image.width - across) * 0.5;
  const top = (image.height - down) * 0.5;
  return [left, top, left + across, top + down];
}
