// One image, large, with all its probabilities and a heat map.

import { flat, inChannels } from "tfcnn/background.js";
import { decode, modelPixels } from "tfcnn/decode.js";
import { paint } from "tfcnn/pictures.js";
import { mostProbable } from "tfcnn/rules.js";
import { percent, visible } from "tfcnn/words.js";

const byId = (id) => document.getElementById(id);
export function openDetail(settings, predictor) {
  let current = { row: null, shown: [], pixels: null };

  async function show(row, shown) {
    current = { row, shown, pixels: null };
    byId("detail-name").textContent = visible(row.path);
    byId("detail-flag").textContent = [row.flag, row.reason, row.remark].filter(Boolean).map(visible).join(": ");
    byId("detail-flag").className = row.flag ? "note" : "";
    showProbs(row, settings.class_names);
    hideMap();
    const place = shown.indexOf(row);
    byId("previous").disabled = place <= 0;
    byId("next").disabled = place < 0 || place + 1 >= shown.length;
    byId("heat").disabled = !row.probs;
    byId("detail-picture").hidden = !row.thumbnail;
    if (!byId("detail").open) byId("detail").showModal();
    if (row.probs && row.thumbnail) await showPicture(row);
  }

  // The picture as the model sees it: at the model's own size, so that the map fits.
  async function showPicture(row) {
    const decoded = await decode(new Uint8Array(await row.file.arrayBuffer()), settings, predictor.decodePhotograph);
    if (current.row !== row) return;
    const { image_size: [height, width], channels } = settings.decoder;
    current.pixels = modelPixels(decoded.image, settings.decoder);
    paint(byId("detail-picture"), inChannels(flat({ width, height, channels, data: current.pixels }), 3));
    byId("detail-picture").setAttribute("aria-label", `${row.path}, as the model sees it`);
  }

  function hideMap() {
    byId("heat").setAttribute("aria-pressed", "false");
    byId("detail-map").hidden = true;
    byId("heat-text").textContent = "";
  }

  async function toggleMap() {
    if (byId("heat").getAttribute("aria-pressed") === "true") return hideMap();
    const { row, pixels } = current;
    if (row.thumbnail && !pixels) return undefined; // it is still being decoded
    byId("heat").setAttribute("aria-pressed", "true");
    byId("heat-text").textContent = "Looking where the model looks ...";
    const isPressed = () => byId("heat").getAttribute("aria-pressed") === "true";
    const isWanted = () => current.row === row && isPressed() && byId("detail").open;
    const place = settings.class_names.indexOf(row.decision);
    const found = await predictor.explain({ row, pixels, place, isWanted });
    if (!found || !isWanted()) return undefined;
    found.paint?.(byId("detail-map"));
    byId("detail-map").hidden = !found.paint;
    byId("heat-text").textContent = found.text;
    return undefined;
  }

  byId("heat").hidden = !predictor.explain;
  const step = (by) => show(current.shown[current.shown.indexOf(current.row) + by], current.shown);
  byId("heat").addEventListener("click", toggleMap);
  byId("previous").addEventListener("click", () => step(-1));
  byId("next").addEventListener("click", () => step(1));
  byId("detail").addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft" && !byId("previous").disabled) step(-1);
    if (event.key === "ArrowRight" && !byId("next").disabled) step(1);
  });
  return { show };
}

function showProbs({ probs }, names) {
  const order = (probs ?? []).map((_, i) => i).sort((one, two) => probs[two] - probs[one]);
  byId("detail-probs").querySelector("tbody").replaceChildren(
    ...order.map((i) => {
      const line = document.createElement("tr");
      const bar = Object.assign(document.createElement("span"), { className: "bar" });
      bar.style.width = `${100 * probs[i]}%`;
      const head = Object.assign(document.createElement("th"), { scope: "row", textContent: visible(names[i]) });
      if (i !== mostProbable(probs)) head.style.fontWeight = "400";
      const value = Object.assign(document.createElement("td"), { className: "number" });
      value.textContent = percent(probs[i]);
      const last = document.createElement("td");
      last.append(bar);
      line.append(head, value, last);
      return line;
    }),
  );
}
