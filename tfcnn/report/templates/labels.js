// One image after the other is judged. What is judged is kept in the browser at once.

const content = JSON.parse(document.getElementById("content").textContent);
const { items, classes, class_names: names, pictures } = content;
const COLUMNS = ["path", "sha256", "label", "judgement", "corrected_label", "shown_as", "saw_opinion"];
const FEW_CLASSES = 10; // that have a button and a digit each; more are in a list
const $ = (id) => document.getElementById(id);
const byPath = new Map(items.map((item) => [item.path, item]));
const isBinary = names.length === 2;
// classes that are called by a digit have that as their key
const digits = names.every((name) => /^[0-9]$/.test(name)) ? names : names.map((_, i) => String((i + 1) % FEW_CLASSES));

// judgements by path, the order in which they were made, the paths of which the models' opinion was
// seen, and judgements on images that are not here
const kept = { judgements: {}, past: [], seen: {}, others: [] };
let at = 0;
let isSaved = true;

const percent = (share) => `${(100 * share).toFixed(1)}\u00a0%`;
const judged = () => items.filter((item) => kept.judgements[item.path]).length;
const of = (item) => kept.judgements[item.path];
const many = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

function remember() {
  try {
    localStorage.setItem(content.key, JSON.stringify(kept));
  } catch {
    $("kept").textContent = "This browser keeps nothing once the page is closed: save often.";
  }
}

function recall() {
  try {
    const text = localStorage.getItem(content.key);
    if (!text) return;
    Object.assign(kept, JSON.parse(text));
    for (const path of Object.keys(kept.judgements)) if (!byPath.has(path)) delete kept.judgements[path];
    kept.past = kept.past.filter(([path]) => byPath.has(path));
  } catch {
    $("kept").textContent = "This browser keeps nothing once the page is closed: save often.";
  }
}

function isOpen(item) {
  return $("show").checked || Boolean(of(item));
}

// Judge the image in sight and go on to the next one that is not judged.
function judge(judgement, label = null) {
  const item = items[at];
  if (!item || (judgement === "flip" && (label === null || label === item.label))) return;
  kept.past.push([item.path, of(item) ?? null]);
  kept.judgements[item.path] = { judgement, label, saw: Boolean(kept.seen[item.path]) };
  isSaved = false;
  remember();
  const words = { keep: "kept", drop: "to be left out", unsure: "unsure", flip: `now ${classes[label] ?? ""}` };
  tell(`Image ${at + 1}: ${words[judgement]}.`);
  const next = items.findIndex((one, i) => i > at && !of(one));
  const first = items.findIndex((one) => !of(one));
  go(next >= 0 ? next : first >= 0 ? first : items.length);
}

function undo() {
  const last = kept.past.pop();
  if (!last) return tell("There is nothing to undo.");
  const [path, before] = last;
  if (before) kept.judgements[path] = before;
  else delete kept.judgements[path];
  isSaved = false;
  remember();
  go(items.findIndex((item) => item.path === path));
  return tell(`Image ${at + 1}: taken back.`);
}

function tell(text) {
  $("told").textContent = text;
}

function go(place) {
  at = Math.max(0, Math.min(place, items.length));
  show();
}

function show() {
  const [isAtEnd, count] = [at === items.length, judged()];
  $("done").value = count;
  $("count").textContent = isAtEnd ? `${count} judged` : `image ${at + 1} of ${items.length}, ${count} judged`;
  $("judge").hidden = isAtEnd;
  $("ended").hidden = !isAtEnd;
  if (isAtEnd) showEnd();
  else showItem(items[at]);
}

function showItem(item) {
  const judgement = of(item);
  $("picture").src = pictures[item.picture];
  $("picture").alt = `Image ${at + 1}, labelled ${classes[item.label]}`;
  $("path").textContent = item.group ? `${item.shown} · ${item.group}` : item.shown;
  $("label").textContent = classes[item.label];
  showActs(item, judgement);
  showOpinion(item);
  showNear(item);
  $("back").disabled = at === 0;
  $("undo").disabled = !kept.past.length;
}

function button(key, text, act, isPressed) {
  const made = document.createElement("button");
  const sign = document.createElement("kbd");
  made.type = "button";
  sign.textContent = key;
  if (key) made.append(sign, " ");
  made.append(text);
  made.setAttribute("aria-pressed", String(isPressed));
  made.addEventListener("click", act);
  return made;
}

function showActs(item, judgement) {
  const is = (word) => judgement?.judgement === word;
  const parts = [button("K", `Keep ${isBinary ? classes[item.label] : "the label"}`, () => judge("keep"), is("keep"))];
  if (isBinary) {
    const other = 1 - item.label;
    parts.push(button("F", `Flip to ${classes[other]}`, () => judge("flip", other), is("flip")));
  }
  parts.push(button("D", "Drop the image", () => judge("drop"), is("drop")));
  parts.push(button("U", "Unsure", () => judge("unsure"), is("unsure")));
  if (!isBinary) {
    parts[0].classList.add("wide");
    parts.splice(1, 0, classChoice(item, judgement));
  }
  $("acts").replaceChildren(...parts);
}

// The classes to flip to: a button each where they are few, else a list.
function classChoice(item, judgement) {
  const box = document.createElement("fieldset");
  const legend = document.createElement("legend");
  legend.textContent = "Flip to";
  box.className = "of-class";
  box.append(legend);
  if (names.length <= FEW_CLASSES) {
    classes.forEach((name, i) => {
      const made = button(digits[i], name, () => judge("flip", i), judgement?.label === i);
      made.disabled = i === item.label;
      box.append(made);
    });
    return box;
  }
  const list = document.createElement("select");
  list.id = "class";
  list.setAttribute("aria-label", "Flip to (key F)");
  list.append(new Option("F: choose a class", ""));
  classes.forEach((name, i) => i !== item.label && list.append(new Option(name, String(i))));
  list.value = judgement?.label === null || judgement?.label === undefined ? "" : String(judgement.label);
  // arrow keys pass over many classes before the right one
  list.addEventListener("keydown", (event) => event.key === "Enter" && list.value && judge("flip", Number(list.value)));
  const set = button("", "Flip", () => list.value && judge("flip", Number(list.value)), judgement?.judgement === "flip");
  box.append(list, set);
  return box;
}

function showOpinion(item) {
  const line = $("opinion");
  if (!isOpen(item)) {
    line.textContent = "What the models say is shown when you have judged.";
    return;
  }
  kept.seen[item.path] = true;
  const strong = document.createElement("strong");
  strong.textContent = classes[item.suggested];
  const how = item.kind === "suspect" ? `Suspected, rank ${item.rank}` : "Drawn at random, not suspected";
  line.replaceChildren("The models say ", strong, `; they give ${classes[item.label]} ${percent(item.prob_label)}. ${how}.`);
}

function showNear(item) {
  $("near-all").hidden = !item.near.length;
  const group = item.group ? `Others of ${item.group}` : "Others";
  $("near-title").textContent = `${group} whose labels the models believe:`;
  const entries = item.near.map((one) => {
    const [entry, picture] = [document.createElement("li"), document.createElement("img")];
    picture.src = pictures[one.picture];
    picture.alt = "";
    picture.title = one.shown;
    entry.append(picture, classes[one.label]);
    return entry;
  });
  $("near").replaceChildren(...entries);
}

function countsOf(kind) {
  const words = items.filter((item) => item.kind === kind).map((item) => of(item)?.judgement);
  const count = (word) => words.filter((one) => one === word).length;
  const share = shareOf(count("flip"), count("flip") + count("keep"));
  return { total: words.length, share, drop: count("drop"), unsure: count("unsure") };
}

function showEnd() {
  const [suspects, random] = [countsOf("suspect"), countsOf("random")];
  const open = items.length - judged();
  const seen = suspects.total < content.suspects
    ? `the first ${suspects.total.toLocaleString("en")} of ${content.suspects.toLocaleString("en")} suspects`
    : content.suspects ? `all ${many(content.suspects, "suspect")}` : "all images";
  $("ended-title").textContent = open ? `${many(open, "image")} are not judged yet` : `You have seen ${seen}`;
  $("rest").textContent = open ? "" : (
    `${many(random.total, "image")} here ${random.total === 1 ? "was" : "were"} drawn at random. Of the labels that are not suspected, the models `
    + `give ${percent(content.rest_mean)} on average to be wrong, and none more than ${percent(content.rest_most)}. `
    + "You can stop here."
  );
  $("figures").replaceChildren(...(open ? [] : figures(suspects, random)));
  $("ended").focus({ preventScroll: true });
}

// A table of the shares, and what follows from them; only after the end, so that nothing sways.
function figures(suspects, random) {
  const table = document.createElement("table");
  const row = (title, { value, low, high, changed, decided }) => {
    const line = table.insertRow();
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = title;
    const strong = document.createElement("strong");
    strong.textContent = value === null ? "–" : percent(value);
    const count = decided === undefined ? "" : `${changed} of ${decided}, `;
    const ends = value === null ? "none decided" : `${count}${percent(low)} to ${percent(high)}`;
    line.append(head);
    line.insertCell().append(strong);
    line.insertCell().append(ends);
  };
  row("suspects whose label you changed", suspects.share);
  row("drawn at random and changed", random.share);
  const wrong = wrongShare(suspects.share, random.share, content.suspects, content.images);
  if (wrong) row(`wrong labels among all ${content.images.toLocaleString("en")}`, wrong);
  const notes = [
    "Of the labels that you decided. In the last column the 95 % interval, as if images were independent.",
  ];
  const left = [suspects.drop + random.drop, suspects.unsure + random.unsure];
  if (left[0] + left[1]) notes.push(`${left[0]} are to be left out, ${left[1]} are unsure.`);
  const slips = ifSlips(suspects.share, random.share);
  if (slips !== null && random.share.changed) {
    notes.push(
      `A changed image that was drawn at random is a wrong label that nobody doubted, or a slip of yours. `
      + `If all were slips, ${percent(slips)} of the suspects are wrong, not ${percent(suspects.share.value)}.`,
    );
  }
  return [table, ...notes.map((text) => Object.assign(document.createElement("p"), { className: "small", textContent: text }))];
}

function rowsToSave() {
  const own = items.filter(of).map((item) => {
    const { judgement, label, saw } = of(item);
    const flipped = judgement === "flip" ? names[label] : "";
    return [item.path, item.sha256, names[item.label], judgement, flipped, item.kind, saw ? "yes" : "no"];
  });
  return [...own, ...kept.others];
}

function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([writeTable(COLUMNS, rowsToSave())], { type: "text/csv" }));
  link.download = "corrections.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  isSaved = true;
  tell(`${many(rowsToSave().length, "judgement")} saved.`);
}

// Take the judgements of a table over those that are here; what is on other images is saved along.
async function load(file) {
  const rows = readTable(await file.text());
  if (!rows.length || !("path" in rows[0]) || !("judgement" in rows[0])) {
    return tell(`${file.name} is no table of judgements: it has no columns path and judgement.`);
  }
  const [others, wrong] = [[], []];
  let taken = 0;
  for (const row of rows) {
    const item = byPath.get(row.path);
    const label = row.judgement === "flip" ? names.indexOf(row.corrected_label) : null;
    if (!["keep", "flip", "drop", "unsure"].includes(row.judgement) || label === -1) wrong.push(row.path);
    else if (item && row.sha256 && item.sha256 && row.sha256 !== item.sha256) wrong.push(row.path);
    else if (item) {
      kept.judgements[item.path] = { judgement: row.judgement, label, saw: row.saw_opinion === "yes" };
      taken++;
    } else others.push(COLUMNS.map((name) => row[name] ?? ""));
  }
  const loaded = new Set(others.map(([path]) => path));
  kept.others = [...kept.others.filter(([path]) => !loaded.has(path)), ...others];
  kept.past = [];
  remember();
  const first = items.findIndex((item) => !of(item));
  go(first >= 0 ? first : items.length);
  const parts = [`${many(taken, "judgement")} loaded`];
  if (others.length) parts.push(`${others.length} on other images are kept and saved along`);
  if (wrong.length) parts.push(`${wrong.length} do not fit and are left out, such as ${wrong[0]}`);
  return tell(`${parts.join("; ")}.`);
}

function press(event) {
  const isTyping = ["SELECT", "TEXTAREA"].includes(event.target.tagName);
  if (event.ctrlKey || event.metaKey || event.altKey || (isTyping && event.key !== "Escape")) return;
  const item = items[at];
  const index = digits.indexOf(event.key);
  const acts = {
    k: () => judge("keep"),
    f: () => (isBinary ? item && judge("flip", 1 - item.label) : $("class")?.focus()),
    d: () => judge("drop"),
    u: () => judge("unsure"),
    z: undo,
    m: () => { $("show").checked = !$("show").checked; show(); },
    s: save,
    arrowleft: () => go(at - 1),
    arrowright: () => go(at + 1),
  };
  const isClass = !isBinary && names.length <= FEW_CLASSES && index >= 0;
  const act = isClass ? () => judge("flip", index) : acts[event.key.toLowerCase()];
  if (!act) return;
  event.preventDefault();
  act();
}

$("back").addEventListener("click", () => go(at - 1));
$("again").addEventListener("click", () => go(at - 1));
$("on").addEventListener("click", () => go(at + 1));
$("undo").addEventListener("click", undo);
$("save").addEventListener("click", save);
$("show").addEventListener("change", show);
$("load").addEventListener("change", async () => {
  const [file] = $("load").files;
  if (file) await load(file);
  $("load").value = ""; // so that the same file can be loaded again
});
// the picture of 28 px of a digit is shown as its pixels
$("picture").addEventListener("load", (event) => {
  event.target.classList.toggle("tiny", event.target.naturalWidth < 64);
});
document.addEventListener("keydown", press);
addEventListener("beforeunload", (event) => !isSaved && !storage() && event.preventDefault());

function storage() {
  try {
    return localStorage.getItem(content.key) !== null;
  } catch {
    return false;
  }
}

recall();
if (matchMedia("(max-width: 46rem)").matches) $("weak")?.removeAttribute("open");
$("review").hidden = false;
go(items.findIndex((item) => !of(item)) < 0 ? items.length : items.findIndex((item) => !of(item)));
