// Pictures of the learner's own: a file, the camera, or a drawing. They stay in this page.

import { make } from "lab/page.js";

// Return a picture as grey pixels in [0, 255] and as RGB, at most `most` px on its longer side.
export async function readPicture(file, most) {
  const bitmap = await createImageBitmap(file); // a photograph comes upright
  const picture = fromSource(bitmap, bitmap.width, bitmap.height, most);
  bitmap.close();
  return picture;
}

// Return `{height, width, grey, rgb}` of what a canvas can draw; transparent pixels are white.
export function fromSource(source, sourceWidth, sourceHeight, most) {
  const scale = Math.min(1, most / Math.max(sourceWidth, sourceHeight));
  const [width, height] = [sourceWidth, sourceHeight].map((side) => Math.max(1, Math.round(side * scale)));
  const canvas = make("canvas", { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.drawImage(source, 0, 0, width, height);
  const rgba = context.getImageData(0, 0, width, height).data;
  const [grey, rgb] = [new Array(height * width), new Array(3 * height * width)];
  for (let i = 0; i < grey.length; i++) {
    for (let c = 0; c < 3; c++) rgb[3 * i + c] = rgba[4 * i + c];
    grey[i] = Math.round(0.299 * rgba[4 * i] + 0.587 * rgba[4 * i + 1] + 0.114 * rgba[4 * i + 2]); // ITU-R BT.601
  }
  return { height, width, grey, rgb };
}

// Show the camera in a video element. Return a function that ends it.
export async function startCamera(video) {
  const stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 }, audio: false });
  video.srcObject = stream;
  await video.play();
  return () => stream.getTracks().forEach((track) => track.stop());
}

// Let a reader draw white on a canvas of `side` x `side` px with mouse, finger or pen. `values` are
// grey, row by row; `onDraw` is called when they change. The arrow keys move a dot and the space bar draws it.
export class Drawing {
  constructor(canvas, side, onDraw) {
    Object.assign(this, { canvas, side, onDraw, values: new Array(side * side).fill(0), at: [side >> 1, side >> 1] });
    canvas.tabIndex = 0;
    canvas.style.touchAction = "none";
    canvas.addEventListener("pointerdown", (event) => this.#begin(event));
    canvas.addEventListener("pointermove", (event) => this.from && this.#line(event));
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (this.from = null));
    canvas.addEventListener("keydown", (event) => this.#key(event));
    for (const change of ["focus", "blur"]) canvas.addEventListener(change, () => this.onDraw(this.values));
  }

  set(values) {
    this.values = [...values];
    this.onDraw(this.values);
  }

  clear() {
    this.set(new Array(this.side * this.side).fill(0));
  }

  // Return where the dot of the arrow keys is, while the canvas has the keyboard.
  get dot() {
    return document.activeElement === this.canvas && this.canvas.matches(":focus-visible") ? this.at : null;
  }

  #begin(event) {
    event.preventDefault();
    this.canvas.setPointerCapture(event.pointerId);
    this.from = this.#place(event);
    this.#stamp(this.from);
    this.onDraw(this.values);
  }

  #line(event) {
    const [end, from] = [this.#place(event), this.from];
    const steps = Math.max(1, Math.ceil(2 * Math.hypot(end[0] - from[0], end[1] - from[1])));
    for (let i = 1; i <= steps; i++) this.#stamp(from.map((start, axis) => start + (i / steps) * (end[axis] - start)));
    this.from = end;
    this.onDraw(this.values);
  }

  #place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [((event.clientY - box.top) / box.height) * this.side - 0.5, ((event.clientX - box.left) / box.width) * this.side - 0.5];
  }

  #stamp([row, column]) {
    const radius = Math.max(0.8, this.side / 22);
    for (let r = Math.floor(row - radius - 1); r <= row + radius + 1; r++) {
      for (let c = Math.floor(column - radius - 1); c <= column + radius + 1; c++) {
        if (r < 0 || c < 0 || r >= this.side || c >= this.side) continue;
        const ink = 255 * Math.max(0, Math.min(1, radius + 0.5 - Math.hypot(r - row, c - column)));
        this.values[r * this.side + c] = Math.max(this.values[r * this.side + c], Math.round(ink));
      }
    }
  }

  #key(event) {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (step) this.at = this.at.map((place, axis) => Math.min(this.side - 1, Math.max(0, place + step[axis])));
    else if (event.key === " ") this.#stamp(this.at);
    else if (event.key === "Delete" || event.key === "Backspace") this.values.fill(0);
    else return;
    event.preventDefault();
    this.onDraw(this.values);
  }
}
