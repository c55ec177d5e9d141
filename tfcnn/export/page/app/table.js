// The table of predictions: it grows, and is sorted and filtered.

import { paint } from "tfcnn/pictures.js";
import { percent, visible } from "tfcnn/words.js";

const byId = (id) => document.getElementById(id);

export class Table {
  // `open(row, shown)` is called with a row that is chosen, and all that are shown.
  constructor(settings, open) {
    this.settings = settings;
    this.open = open;
    this.rows = [];
    this.filter = "";
    this.sort = { key: "", isUp: true };
    this.elements = new Map();
    for (const head of document.querySelectorAll("#results th[data-key]")) {
      head.querySelector("button").addEventListener("click", () => this.sortBy(head.dataset.key));
    }
    byId("search").addEventListener("input", () => this.arrange());
  }

  add(rows) {
    for (const row of rows) {
      row.number = this.rows.length;
      row.prob = row.probs ? row.probs[this.settings.class_names.indexOf(row.decision)] : -1;
      this.rows.push(row);
      this.elements.set(row, this.element(row));
    }
    if (this.sort.key || this.filter || byId("search").value) this.arrange();
    else byId("rows").append(...rows.map((row) => this.elements.get(row)));
    this.showFilters();
  }

  clear() {
    this.rows = [];
    this.elements.clear();
    this.filter = "";
    byId("search").value = "";
    byId("rows").replaceChildren();
    byId("filters").replaceChildren();
  }

  sortBy(key) {
    const isUp = this.sort.key === key ? !this.sort.isUp : key !== "prob";
    this.sort = { key, isUp };
    for (const head of document.querySelectorAll("#results th[data-key]")) {
      if (head.dataset.key === key) head.setAttribute("aria-sort", isUp ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    }
    this.arrange();
  }

  // The rows that are shown, in order.
  shown() {
    const wanted = byId("search").value.toLowerCase();
    const rows = this.rows.filter((row) => this.fits(row) && row.path.toLowerCase().includes(wanted));
    const { key, isUp } = this.sort;
    if (!key) return rows;
    const compare = (one, two) => (one[key] < two[key] ? -1 : one[key] > two[key] ? 1 : 0);
    return rows.sort((one, two) => (isUp ? 1 : -1) * compare(one, two) || one.number - two.number);
  }

  fits(row) {
    if (!this.filter) return true;
    if (this.filter === "flagged") return row.flag !== "";
    return `class ${row.decision}` === this.filter;
  }

  arrange() {
    const shown = this.shown();
    byId("rows").replaceChildren(...shown.map((row) => this.elements.get(row)));
    byId("empty").hidden = shown.length > 0 || !this.rows.length;
  }

  // A button for all, for each class that was decided, and for what is flagged, each with its count.
  showFilters() {
    const count = (test) => this.rows.filter(test).length;
    const classes = this.settings.class_names
      .map((name) => [`class ${name}`, visible(name), count(({ decision }) => decision === name)])
      .filter(([, , number]) => number);
    const all = [["", "All", this.rows.length], ...classes, ["flagged", "Flagged", count(({ flag }) => flag)]];
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
      this.arrange();
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

function cell(kind, ...content) {
  const element = document.createElement("td");
  element.className = kind;
  element.append(...content);
  return element;
}
