"use strict";
// The page is whole without this script: it turns links into switches and brings the slider alive.

document.documentElement.classList.add("js");

// A cell of the confusion matrix opens and closes the images behind it.
for (const link of document.querySelectorAll("a[data-opens]")) {
  const panel = document.getElementById(link.dataset.opens);
  const tell = () => link.setAttribute("aria-expanded", String(panel.open));
  link.setAttribute("role", "button");
  link.setAttribute("aria-controls", panel.id);
  link.addEventListener("click", (event) => {
    event.preventDefault();
    panel.open = !panel.open;
    tell();
    if (panel.open) panel.scrollIntoView({ block: "nearest" });
  });
  link.addEventListener("keydown", (event) => {
    if (event.key !== " ") return;
    event.preventDefault();
    link.click();
  });
  panel.addEventListener("toggle", () => {
    tell();
    if (!panel.open && panel.contains(document.activeElement)) link.focus();
  });
  tell();
}

// The slider moves the threshold over counts that were made from the stored predictions.
function follow(form) {
  const slider = form.querySelector("input");
  const { found, alarms, positives, negatives, stored, width } = JSON.parse(form.dataset.counts);
  const line = document.getElementById("threshold-moved");
  const percent = (share) => (Number.isFinite(share) ? `${(100 * share).toFixed(1)}\u00a0%` : "–");
  const show = () => {
    const [hits, wrong] = [found[slider.value], alarms[slider.value]];
    const threshold = slider.value / (found.length - 1);
    const figures = {
      threshold: threshold.toFixed(3),
      sensitivity: percent(hits / positives),
      specificity: percent(1 - wrong / negatives),
      ppv: percent(hits / (hits + wrong)),
      missed: (positives - hits).toLocaleString("en"),
      alarms: wrong.toLocaleString("en"),
    };
    for (const [name, text] of Object.entries(figures)) {
      form.querySelector(`[data-moved=${name}]`).textContent = text;
    }
    slider.setAttribute(
      "aria-valuetext",
      `${figures.threshold}: sensitivity ${figures.sensitivity}, specificity ${figures.specificity}`
    );
    line.style.transform = `translateX(${(threshold - stored) * width}px)`;
  };
  slider.addEventListener("input", show);
  form.addEventListener("reset", () => requestAnimationFrame(show));
  show();
}

const form = document.getElementById("mover");
if (form) follow(form);
