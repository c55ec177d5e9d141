// The probabilities of an answer as a table of bars.

import { make } from "lab/elements.js";
import { percent, visible } from "tfcnn/words.js";

const MOST = 12; // classes; of more, the most probable

export function showAnswers(table, probs, names) {
  const order = probs.map((_, i) => i);
  const isLong = probs.length > MOST;
  if (isLong) order.sort((one, other) => probs[other] - probs[one]);
  const first = probs.indexOf(Math.max(...probs));
  table.replaceChildren(
    make("caption", { className: "hidden-text", textContent: "Probability of each class" }),
    make("tbody", {}, ...order.slice(0, MOST).map((i) => {
      const bar = make("span", { className: "bar" });
      bar.style.width = `${100 * probs[i]}%`;
      return make("tr", { className: i === first ? "first" : "" },
        make("th", { scope: "row", textContent: visible(names[i]) }),
        make("td", { className: "count", textContent: percent(probs[i]) }),
        make("td", {}, bar),
      );
    })),
  );
}
