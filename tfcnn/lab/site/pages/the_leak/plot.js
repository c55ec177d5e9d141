// The accuracies of many splits, a dot for each.

const NAMESPACE = "http://www.w3.org/2000/svg";
const ROWS = [
  ["image", "Split by image: test", true],
  ["imageNew", "the same models: new patients", false],
  ["patient", "Split by patient: test", false],
  ["patientNew", "the same models: new patients", false],
];
const [LEFT, ROW, LOWEST] = [10, 58, 0.4];
const [NARROWEST, WIDEST] = [320, 640]; // px

function draw(name, attributes, ...children) {
  const element = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

// `room` is the width that the page has for it, in px.
export function plotMany(found, room) {
  const width = Math.max(NARROWEST, Math.min(WIDEST, room));
  const x = (share) => LEFT + ((Math.max(LOWEST, share) - LOWEST) / (1 - LOWEST)) * (width - 2 * LEFT);
  const height = ROWS.length * ROW + 24;
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "Accuracies of all splits" });
  for (const share of [0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]) {
    svg.append(draw("path", { class: "axis", d: `M${x(share)} 0V${height - 20}` }));
    svg.append(draw("text", { class: "small-text", x: x(share), y: height - 4, "text-anchor": share === 1 ? "end" : share === LOWEST ? "start" : "middle" }, `${Math.round(100 * share)} %`));
  }
  ROWS.forEach(([key, words, isLeaky], i) => {
    const values = found[key];
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const y = i * ROW + 36;
    const row = draw("g", { class: isLeaky ? "leaky" : "" });
    row.append(draw("text", { x: LEFT, y: y - 18 }, `${words}, mean ${(100 * mean).toFixed(1)} %`));
    values.forEach((value, k) => row.append(draw("circle", { cx: x(value), cy: y + ((k % 5) - 2) * 3, r: 4.5 })));
    row.append(draw("path", { class: "mean", d: `M${x(mean)} ${y - 11}V${y + 11}` }));
    svg.append(row);
  });
  return svg;
}
