// A paper to draw a digit on, and how MNIST's digits were made of such drawings.

import { resize } from "tfcnn/resample.js";

const SIDE = 280; // px of the paper
const PEN = 22; // px
const STEP = 10; // px that a key moves the pen
export const DIGIT = 28; // px of what the network sees
const BOX = 20; // px: MNIST's digits fit in a box of this side

// Let a canvas be drawn on; `changed()` is called after each stroke of it.
export function openPaper(canvas, changed) {
  canvas.width = canvas.height = SIDE;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const strokes = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  strokes.canvas.width = strokes.canvas.height = SIDE;
  let last = null; // where the pen was
  const pen = { x: SIDE / 2, y: SIDE / 2, isDown: false, isShown: false };

  function clear() {
    strokes.fillStyle = "#000";
    strokes.fillRect(0, 0, SIDE, SIDE);
    draw();
  }

  function draw() {
    context.drawImage(strokes.canvas, 0, 0);
    if (!pen.isShown) return;
    context.strokeStyle = pen.isDown ? "#f2985c" : "#74b4f7";
    context.lineWidth = 3;
    context.beginPath();
    context.arc(pen.x, pen.y, PEN / 2 + 2, 0, 7);
    context.stroke();
  }

  function line(x, y) {
    Object.assign(strokes, { strokeStyle: "#fff", lineWidth: PEN, lineCap: "round", lineJoin: "round" });
    strokes.beginPath();
    strokes.moveTo(...(last ?? [x, y]));
    strokes.lineTo(x, y);
    strokes.stroke();
    last = [x, y];
    draw();
    changed();
  }

  const placeOf = (event) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * SIDE, ((event.clientY - box.top) / box.height) * SIDE];
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pen.isShown = false;
    last = null;
    line(...placeOf(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.buttons && last) line(...placeOf(event));
  });
  canvas.addEventListener("pointerup", () => (last = null));
  canvas.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const move = moves[event.key];
    if (!move && event.key !== " ") return;
    event.preventDefault();
    pen.isShown = true;
    if (event.key === " ") {
      pen.isDown = !pen.isDown;
      last = null;
    } else {
      pen.x = Math.max(0, Math.min(SIDE, pen.x + STEP * move[0]));
      pen.y = Math.max(0, Math.min(SIDE, pen.y + STEP * move[1]));
    }
    if (pen.isDown) line(pen.x, pen.y);
    else draw();
  });
  canvas.addEventListener("blur", () => {
    Object.assign(pen, { isShown: false, isDown: false });
    draw();
  });

  // Put uint8 pixels of a digit on the paper.
  function put(pixels) {
    const own = new ImageData(DIGIT, DIGIT);
    pixels.forEach((value, i) => own.data.set([value, value, value, 255], 4 * i));
    const small = document.createElement("canvas");
    small.width = small.height = DIGIT;
    small.getContext("2d").putImageData(own, 0, 0);
    strokes.imageSmoothingEnabled = true;
    strokes.drawImage(small, 0, 0, SIDE, SIDE);
    draw();
  }

  // Return the drawing, grey: `{width, height, channels, data}`.
  function picture() {
    const rgba = strokes.getImageData(0, 0, SIDE, SIDE).data;
    const data = new Uint8Array(SIDE * SIDE);
    for (let i = 0; i < data.length; i++) data[i] = rgba[4 * i];
    return { width: SIDE, height: SIDE, channels: 1, data };
  }

  clear();
  return { clear, put, picture };
}

// Return uint8 pixels of 28 x 28: the whole paper, smaller.
export const asDrawn = (picture) => Uint8Array.from(resize(picture, DIGIT, DIGIT, false).data);

// Return uint8 pixels of 28 x 28 as MNIST's were made: the digit in a box of 20 x 20, its centre of
// mass in the middle (LeCun et al. 1998, section III.A).
export function centred(picture) {
  const box = inkBox(picture);
  const out = new Uint8Array(DIGIT * DIGIT);
  if (!box) return out;
  const [left, top, right, bottom] = box;
  const scale = BOX / Math.max(right - left, bottom - top);
  const [height, width] = [bottom - top, right - left].map((side) => Math.max(1, Math.round(side * scale)));
  const small = resize(picture, height, width, false, box);
  const [y, x] = centreOfMass(small);
  const [down, across] = [Math.round((DIGIT - 1) / 2 - y), Math.round((DIGIT - 1) / 2 - x)];
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const [toRow, toColumn] = [row + down, column + across];
      const isInside = toRow >= 0 && toRow < DIGIT && toColumn >= 0 && toColumn < DIGIT;
      if (isInside) out[toRow * DIGIT + toColumn] = small.data[row * width + column];
    }
  }
  return out;
}

function inkBox({ width, height, data }) {
  let [left, top, right, bottom] = [width, height, -1, -1];
  data.forEach((value, i) => {
    if (value < 64) return;
    const [y, x] = [Math.floor(i / width), i % width];
    [left, top] = [Math.min(left, x), Math.min(top, y)];
    [right, bottom] = [Math.max(right, x), Math.max(bottom, y)];
  });
  return right < 0 ? null : [left, top, right + 1, bottom + 1];
}

function centreOfMass({ width, data }) {
  let [mass, down, across] = [0, 0, 0];
  data.forEach((value, i) => {
    mass += value;
    down += value * Math.floor(i / width);
    across += value * (i % width);
  });
  return [down / mass, across / mass];
}
