// Famous networks: a drawing, the details of a layer, and a table of all layers.

import { draw } from "page/drawing.js";
import { countOf, unitsOf, wordsOf } from "page/units.js";
import { data } from "lab/data.js";
import { byId, make } from "lab/elements.js";
import { sentenceOf, sizeOf } from "lab/kinds_of_layers.js";

const networks = data.networks.map((network) => {
  const units = unitsOf(network);
  const sum = (key) => units.reduce((total, unit) => total + unit[key], 0);
  return { ...network, units, parameters: sum("parameters"), multiplications: sum("multiplications"), layers: Math.max(...units.map(({ weighted }) => weighted)) };
});
const MOST_OPEN = 30; // rows of a table that is shown at once
const whole = (number) => number.toLocaleString("en");
const round = (number) => (number >= 1e9 ? `${(number / 1e9).toFixed(1)} billion` : number >= 1e6 ? `${(number / 1e6).toFixed(1)} million` : whole(number));
const fact = (name, value, isMain = false) => make("div", { className: isMain ? "is-main" : "" }, make("dt", { textContent: name }), make("dd", { textContent: value }));

function show(network) {
  byId("words").textContent = `${network.year}. ${network.words}`;
  byId("facts").replaceChildren(
    fact("Parameters", whole(network.parameters), true),
    fact("Layers with weights", whole(network.layers)),
    fact("Multiplications for an image", round(network.multiplications)),
    fact("Image", sizeOf(network.image)),
    fact("In tfcnn", network.network),
  );
  byId("layers-count").textContent = `${network.units.length} layers, with what follows each`;
  byId("all-layers").open = network.units.length <= MOST_OPEN;
  const drawing = draw(network.units, network.image, choose);
  byId("drawing").replaceChildren(drawing.svg);
  const most = Math.max(...network.units.map(({ parameters }) => parameters));
  const rows = network.units.map((unit) => row(unit, most, choose));
  byId("layers").querySelector("tbody").replaceChildren(...rows);

  function choose(unit) {
    drawing.mark(unit);
    rows.forEach((one, i) => one.classList.toggle("chosen", network.units[i] === unit));
    byId("detail").replaceChildren(...detail(unit, network));
  }
  choose(network.units.reduce((best, unit) => (unit.parameters > best.parameters ? unit : best)));
}

function row(unit, most, choose) {
  const bar = make("i", { className: "conv" });
  bar.style.width = `${(100 * unit.parameters) / most}%`;
  const button = make("button", { type: "button", textContent: unit.name });
  return make("tr", { onclick: () => choose(unit) },
    make("th", { scope: "row" }, button),
    make("td", { textContent: wordsOf(unit) }),
    make("td", { textContent: sizeOf(unit.shape) }),
    make("td", { className: "count", textContent: unit.parameters ? whole(unit.parameters) : "" }),
    make("td", {}, unit.parameters ? bar : ""),
  );
}

function detail(unit, network) {
  const counted = countOf(unit);
  const rest = unit.steps.slice(1).reduce((sum, { parameters }) => sum + parameters, 0);
  const share = (100 * unit.parameters) / network.parameters;
  const inputs = unit.inputs.map(({ name }) => name).join(", ") || "image";
  const facts = [fact("Takes", `${inputs}: ${sizeOf(unit.inputShape)}`), fact("Gives", sizeOf(unit.shape))];
  if (unit.parameters) facts.push(fact("Parameters", `${whole(unit.parameters)} (${share.toFixed(share < 1 ? 2 : 0)} %)`, true));
  if (counted) facts.push(fact("Counted", rest ? `${counted}, and ${whole(rest)} of the normalisation` : counted));
  if (unit.multiplications) facts.push(fact("Multiplications", round(unit.multiplications)));
  return [
    make("h3", { textContent: `${unit.name}: ${wordsOf(unit)}` }),
    make("p", { className: "small", textContent: sentenceOf(unit.steps[0]) }),
    make("dl", { className: "facts" }, ...facts),
  ];
}

function offer() {
  byId("networks").append(...networks.map((network, i) => {
    const radio = make("input", { type: "radio", name: "network", value: network.key, checked: i === 0, onchange: () => show(network) });
    return make("label", {}, radio, network.title);
  }));
  byId("compare").querySelector("tbody").append(...networks.map((network) =>
    make("tr", {},
      make("th", { scope: "row", textContent: network.title }),
      make("td", { textContent: network.year }),
      make("td", { textContent: sizeOf(network.image) }),
      make("td", { className: "count", textContent: network.layers }),
      make("td", { className: "count", textContent: whole(network.parameters) }),
      make("td", { className: "count", textContent: round(network.multiplications) }),
    ),
  ));
}

offer();
show(networks[0]);
