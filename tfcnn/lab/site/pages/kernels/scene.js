// A drawn picture with edges of every direction, smooth places and fine lines.

import { make } from "lab/page.js";
import { fromSource } from "lab/pictures.js";

const SIDE = 160;

export function scene() {
  const canvas = make("canvas", { width: SIDE, height: SIDE });
  const pen = canvas.getContext("2d");
  const sky = pen.createLinearGradient(0, 0, 0, SIDE);
  sky.addColorStop(0, "#5f7f9f");
  sky.addColorStop(1, "#dfe7ee");
  shape(pen, sky, [[0, 0], [SIDE, 0], [SIDE, SIDE], [0, SIDE]]);
  disc(pen, "#fff4c8", 128, 30, 14);
  shape(pen, "#7d9a6a", [[0, 112], [50, 84], [96, 104], [SIDE, 78], [SIDE, SIDE], [0, SIDE]]);
  shape(pen, "#4c6b3f", [[0, 130], [SIDE, 120], [SIDE, SIDE], [0, SIDE]]);
  shape(pen, "#e9dcc6", [[38, 72], [94, 72], [94, 128], [38, 128]]);
  shape(pen, "#8a3f2b", [[30, 74], [66, 42], [102, 74]]);
  shape(pen, "#5a4030", [[60, 100], [74, 100], [74, 128], [60, 128]]);
  for (const x of [44, 80]) {
    shape(pen, "#2e4a66", [[x, 82], [x + 10, 82], [x + 10, 94], [x, 94]]);
    stroke(pen, "#f4efe6", [[x + 5, 82], [x + 5, 94]]);
    stroke(pen, "#f4efe6", [[x, 88], [x + 10, 88]]);
  }
  stroke(pen, "#4a3524", [[128, 128], [128, 92]], 4);
  disc(pen, "#2f5a34", 128, 84, 15);
  for (let x = 4; x < SIDE; x += 9) stroke(pen, "#f2ece0", [[x, 136], [x, 150]], 2);
  stroke(pen, "#f2ece0", [[0, 141], [SIDE, 141]], 1.5);
  return fromSource(canvas, SIDE, SIDE, SIDE);
}

function shape(pen, colour, corners) {
  pen.fillStyle = colour;
  pen.beginPath();
  for (const [x, y] of corners) pen.lineTo(x, y);
  pen.fill();
}

function disc(pen, colour, x, y, radius) {
  pen.fillStyle = colour;
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.fill();
}

function stroke(pen, colour, [[x, y], [toX, toY]], width = 1) {
  Object.assign(pen, { strokeStyle: colour, lineWidth: width });
  pen.beginPath();
  pen.moveTo(x, y);
  pen.lineTo(toX, toY);
  pen.stroke();
}
