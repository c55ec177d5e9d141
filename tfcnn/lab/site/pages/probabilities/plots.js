// Two plots: a reliability diagram, and the images of two classes by their probability.

const NAMESPACE = "http://www.w3.org/2000/svg";
const COLUMNS = 25;
const FEW = 5; // images in a bin: their share says little

function draw(name, attributes, ...children) {
  const element = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

const text = (x, y, words, anchor = "middle", more = {}) => draw("text", { x, y, "text-anchor": anchor, ...more }, words);

export function plotReliability(rows, what) {
  const [size, left, top] = [300, 54, 16];
  const [x, y] = [(share) => left + share * size, (share) => top + (1 - share) * size];
  const all = rows.reduce((sum, { count }) => sum + count, 0);
  const svg = draw("svg", { viewBox: `0 0 ${left + size + 28} ${size + 62}`, role: "img", "aria-label": describe(rows) });
  svg.append(draw("path", { class: "axis", d: `M${left} ${top}V${top + size}H${left + size}` }));
  svg.append(draw("path", { class: "ideal", d: `M${x(0)} ${y(0)}L${x(1)} ${y(1)}` }));
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    svg.append(text(x(share), top + size + 24, `${100 * share} %`), text(left - 16, y(share) + 4, `${100 * share}`, "end"));
  }
  for (const { count, confidence, frequency } of rows) {
    if (!count) continue;
    svg.append(draw("path", { class: count < FEW ? "gap few" : "gap", d: `M${x(confidence)} ${y(confidence)}V${y(frequency)}` }));
    const point = draw("circle", { class: "point", cx: x(confidence), cy: y(frequency), r: 3 + 11 * Math.sqrt(count / all) });
    point.append(draw("title", {}, `${count} images: stated ${(100 * confidence).toFixed(0)} %, came true ${(100 * frequency).toFixed(0)} %`));
    svg.append(point);
  }
  svg.append(text(left + size / 2, top + size + 42, `stated probability of ${what}`));
  svg.append(text(12, top + size / 2, "came true, in %", "middle", { transform: `rotate(-90 12 ${top + size / 2})` }));
  return svg;
}

const describe = (rows) =>
  `Stated against came true: ${rows.filter(({ count }) => count).map(({ confidence, frequency }) => `${(100 * confidence).toFixed(0)} % came true in ${(100 * frequency).toFixed(0)} %`).join("; ")}`;

export function plotHistogram(labels, probs, positive, threshold, names, room) {
  const [width, half, left] = [Math.max(320, Math.min(900, room)), 90, 8];
  const counts = [0, 1].map(() => new Array(COLUMNS).fill(0));
  labels.forEach((label, i) => {
    counts[label === positive ? 0 : 1][Math.min(COLUMNS - 1, Math.floor(probs[i][positive] * COLUMNS))] += 1;
  });
  const most = Math.max(...counts.flat());
  const svg = draw("svg", { viewBox: `0 0 ${width + 2 * left} ${2 * half + 66}`, role: "img", "aria-label": `Images of ${names.join(" and ")} by their probability` });
  const slot = width / COLUMNS;
  counts.forEach((row, down) => row.forEach((count, i) => {
    const height = (half * Math.sqrt(count)) / Math.sqrt(most);
    const y = down ? half + 20 : half + 18 - height;
    const bar = draw("rect", { class: down ? "no" : "yes", x: left + i * slot + 1, y, width: slot - 2, height });
    bar.append(draw("title", {}, `${count} images`));
    svg.append(bar);
  }));
  const at = left + threshold * width;
  svg.append(draw("path", { class: "line", d: `M${at} 8V${2 * half + 30}` }));
  svg.append(text(left, 14, `above: images of ${names[positive]}`, "start"));
  svg.append(text(left, 2 * half + 36, `below: images of ${names[1 - positive]} (heights: square roots)`, "start"));
  for (const share of [0, 0.5, 1]) svg.append(text(left + share * width, 2 * half + 58, `${100 * share} %`, share === 0 ? "start" : share === 1 ? "end" : "middle"));
  return svg;
}
