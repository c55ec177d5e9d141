// Numbers as pixels of a canvas.

// Paint grey pixels in [0, 255], row by row; the canvas gets their size.
export function paintGrey(canvas, values, height, width) {
  paint(canvas, height, width, (i) => [values[i], values[i], values[i]]);
}

// Paint any numbers: 0 is the paper, negative ones are orange, positive ones blue.
export function paintSigned(canvas, values, height, width, most = largest(values)) {
  const [zero, plus, minus] = ["paper", "blue", "orange"].map(rgb);
  paint(canvas, height, width, (i) => {
    const share = most ? Math.min(1, Math.abs(values[i]) / most) : 0;
    const end = values[i] < 0 ? minus : plus;
    return zero.map((from, c) => from + share * (end[c] - from));
  });
}

// Return the largest distance from 0.
export const largest = (values) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

function paint(canvas, height, width, colourAt) {
  canvas.height = height;
  canvas.width = width;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let i = 0; i < height * width; i++) {
    const colour = colourAt(i);
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = colour[c];
    image.data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

// Return red, green and blue of a colour of the page.
export function rgb(name) {
  const text = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim().slice(1);
  const whole = text.length === 3 ? [...text].map((letter) => letter + letter).join("") : text;
  return [0, 2, 4].map((at) => parseInt(whole.slice(at, at + 2), 16));
}
