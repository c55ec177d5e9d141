// The table of predictions: it grows, and is sorted and filtered.

import { paint } from "tfcnn/pictures.js";
import { percent, visible } from "tfcnn/words.js";

const STEP = 200; // rows that are laid out at first, and more at a click: thousands would stop the page
const byId = (id) => document.getElementById(id);

export class Table {
  // `open(row, shown)` is called with a row that is chosen, and all that are shown.
  constructor(settings, open) {
    this.settings = settings;
    this.open = open;
    this.rows = [];
    this.filter = "";
    this.sort = { key: "", isUp: true };
    this.counts = new Map(); // of rows that fit each filter
    this.most = STEP; // rows laid out
    this.elements = new Map(); // of the rows that were laid out
    for (const head of document.querySelectorAll("#results th[data-key]")) {
      head.querySelector("button").addEventListener("click", () => this.sortBy(head.dataset.key));
    }
    byId("search").addEventListener("input", () => this.arrangeAnew());
    byId("more").addEventListener("click", () => this.showMore());
  }

  add(rows) {
    for (const row of rows) {
      row.number = this.rows.length;
      row.prob = row.probs ? row.probs[this.settings.class_names.indexOf(row.decision)] : -1;
      this.rows.push(row);
      for (const key of filtersOf(row)) this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
    }
    if (this.sort.key || this.filter || byId("search").value) this.arrange();
    else {
      const places = Math.max(0, this.most - byId("rows").children.length);
      byId("rows").append(...rows.slice(0, places).map((row) => this.elementOf(row)));
      this.offerMore(this.rows.length);
    }
    this.showFilters();
  }

  clear() {
    this.rows = [];
    this.elements.clear();
    this.counts.clear();
    this.most = STEP;
    this.filter = "";
    byId("search").value = "";
    byId("rows").replaceChildren();
    byId("filters").replaceChildren();
    this.offerMore(0);
  }

  sortBy(key) {
    const isUp = this.sort.key === key ? !this.sort.isUp : key !== "prob";
    this.sort = { key, isUp };
    for (const head of document.querySelectorAll("#results th[data-key]")) {
      if (head.dataset.key === key) head.setAttribute("aria-sort", isUp ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    }
    this.arrangeAnew();
  }

  // The rows that are shown, in order.
  shown() {
    const wanted = byId("search").value.toLowerCase();
    const rows = this.rows.filter(
      (row) => filtersOf(row).includes(this.filter) && row.path.toLowerCase().includes(wanted),
    );
    const { key, isUp } = this.sort;
    if (!key) return rows;
    const compare = (one, two) => (one[key] < two[key] ? -1 : one[key] > two[key] ? 1 : 0);
    return rows.sort((one, two) => (isUp ? 1 : -1) * compare(one, two) || one.number - two.number);
  }

  // The user asked for other rows, or another order: begin at the top.
  arrangeAnew() {
    this.most = STEP;
    this.arrange();
  }

  arrange() {
    const shown = this.shown();
    hold(byId("rows"), shown.slice(0, this.most).map((row) => this.elementOf(row)));
    byId("empty").hidden = shown.length > 0 || !this.rows.length;
    this.offerMore(shown.length);
  }

  showMore() {
    const from = byId("rows").children.length;
    this.most = from + STEP;
    byId("rows").append(...this.shown().slice(from, this.most).map((row) => this.elementOf(row)));
    this.offerMore(this.shown().length);
    byId("rows").children[from].querySelector("button").focus({ preventScroll: true });
  }

  offerMore(count) {
    const rest = count - byId("rows").children.length;
    byId("more").hidden = rest <= 0;
    byId("more").textContent =
      `Show ${Math.min(STEP, rest).toLocaleString("en")} more of ${rest.toLocaleString("en")} rows`;
  }

  elementOf(row) {
    if (!this.elements.has(row)) this.elements.set(row, this.element(row));
    return this.elements.get(row);
  }

  // A button for all, for each class that was decided, and for what is flagged, each with its count.
  showFilters() {
    const counted = (key, text) => [key, text, this.counts.get(key) ?? 0];
    const classes = this.settings.class_names
      .map((name) => counted(`class ${name}`, visible(name)))
      .filter(([, , number]) => number);
    const all = [counted("", "All"), ...classes, counted("flagged", "Flagged")];
    const signature = JSON.stringify(all.map(([key]) => key));
    if (byId("filters").dataset.keys !== signature || !byId("filters").children.length) {
      byId("filters").dataset.keys = signature;
      byId("filters").replaceChildren(...all.map(([key]) => this.filterButton(key)));
    }
    all.forEach(([, text, number], i) => {
      byId("filters").children[i].textContent = `${text} ${number.toLocaleString("en")}`;
    });
  }

  filterButton(key) {
    const button = Object.assign(document.createElement("button"), { type: "button" });
    button.setAttribute("aria-pressed", String(key === this.filter));
    button.addEventListener("click", () => {
      this.filter = key;
      for (const one of byId("filters").children) one.setAttribute("aria-pressed", String(one === button));
      this.arrangeAnew();
    });
    return button;
  }

  element(row) {
    const line = document.createElement("tr");
    const name = Object.assign(document.createElement("button"), { type: "button", textContent: visible(row.path) });
    const picture = row.thumbnail ? paint(document.createElement("canvas"), row.thumbnail) : "";
    if (picture) picture.setAttribute("aria-hidden", "true");
    const flag = Object.assign(document.createElement("span"), { className: "flagged", textContent: row.flag });
    const why = Object.assign(document.createElement("span"), { className: "why" });
    why.textContent = visible([row.reason, row.remark].filter(Boolean).join("; "));
    line.append(
      cell("picture", picture),
      cell("name", name),
      cell("class", visible(row.decision)),
      cell("number", row.probs ? percent(row.prob) : ""),
      cell("flag", flag, why),
    );
    line.addEventListener("click", () => this.open(row, this.shown()));
    return line;
  }
}

// The filters that a row fits; "" is that for all.
const filtersOf = ({ decision, flag }) => ["", `class ${decision}`, ...(flag ? ["flagged"] : [])];

// Give a parent these children. What is in place stays untouched: it keeps its focus, and a browser
// paints each canvas anew that is put in again.
function hold(parent, children) {
  let next = parent.firstChild;
  for (const child of children) {
    if (child === next) next = next.nextSibling;
    else parent.insertBefore(child, next);
  }
  while (next) {
    const rest = next.nextSibling;
    next.remove();
    next = rest;
  }
}

function cell(kind, ...content) {
  const element = document.createElement("td");
  element.className = kind;
  element.append(...content);
  return element;
}
