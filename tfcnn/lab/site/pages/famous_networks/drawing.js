// A network as blocks in an SVG, from left to right.

const [WIDTH, HEIGHT, ARCS, FOOT] = [960, 250, 46, 22];
const TALLEST = HEIGHT - ARCS - FOOT;
const NAMESPACE = "http://www.w3.org/2000/svg";

function shape(name, attributes, ...children) {
  const element = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

// Return the drawing; `choose(unit)` is told what is chosen by mouse or keyboard.
export function draw(units, image, choose) {
  const levels = Map.groupBy ? Map.groupBy(units, ({ level }) => level) : grouped(units);
  const slot = WIDTH / levels.size;
  const middle = ARCS + TALLEST / 2;
  const widest = Math.log2(Math.max(...units.map(({ shape: sides }) => sides.at(-1))));
  const highest = Math.log2(Math.max(image[0], 2));
  const svg = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "application", tabindex: 0, "aria-label": "Layers of the network. Arrow keys move from one to the next." });
  const boxes = new Map();
  for (const [level, row] of levels) {
    const total = row.reduce((sum, unit) => sum + heightOf(unit, highest), 0);
    const scale = Math.min(1, (TALLEST - 3 * (row.length - 1)) / total);
    let y = middle - (total * scale + 3 * (row.length - 1)) / 2;
    for (const unit of row) {
      const height = heightOf(unit, highest) * scale;
      const width = Math.max(2, slot * (0.25 + (0.6 * Math.log2(1 + unit.shape.at(-1))) / (widest + 1)));
      const x = (level + 0.5) * slot - width / 2;
      const box = shape("rect", { x, y, width, height, class: unit.sort });
      box.append(shape("title", {}, `${unit.name}: ${unit.shape.join(" \u00d7 ")}`));
      box.addEventListener("click", () => choose(unit));
      boxes.set(unit, { box, x: x + width / 2, y });
      y += height + 3;
    }
  }
  svg.append(...arcs(units, boxes), ...[...boxes.values()].map(({ box }) => box), ...sides(units, levels, slot));
  svg.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const at = units.findIndex((unit) => boxes.get(unit).box.classList.contains("chosen"));
    choose(units[Math.max(0, Math.min(units.length - 1, at + by))]);
  });
  const mark = (unit) => boxes.forEach(({ box }, other) => box.classList.toggle("chosen", other === unit));
  return { svg, mark };
}

function grouped(units) {
  const found = new Map();
  for (const unit of units) found.set(unit.level, [...(found.get(unit.level) ?? []), unit]);
  return found;
}

const heightOf = ({ shape: own }, highest) => {
  const side = own.length === 3 ? own[0] : 1;
  return TALLEST * (0.08 + (0.92 * Math.log2(side)) / highest);
};

// Paths that go round layers.
function arcs(units, boxes) {
  return units.flatMap((unit) =>
    unit.inputs
      .filter((input) => unit.level - input.level > 1)
      .map((input) => {
        const [from, to] = [boxes.get(input), boxes.get(unit)];
        const top = Math.max(4, Math.min(from.y, to.y) - 14 - 2 * (unit.level - input.level));
        return shape("path", { d: `M${from.x} ${from.y}C${from.x} ${top} ${to.x} ${top} ${to.x} ${to.y}` });
      }),
  );
}

// The side of the maps, written below where it changes.
function sides(units, levels, slot) {
  const found = [];
  let [last, right] = ["", -Infinity];
  for (const [level, [unit]] of levels) {
    const text = unit.shape.length === 3 ? `${unit.shape[0]} \u00d7 ${unit.shape[1]}` : String(unit.shape[0]);
    const x = (level + 0.5) * slot;
    if (text === last) continue;
    last = text;
    const left = x - 3 * text.length;
    if (left < right + 6) continue;
    right = left + 6 * text.length;
    found.push(shape("text", { x: Math.max(left, 0), y: HEIGHT - 6 }, text));
  }
  return found;
}
