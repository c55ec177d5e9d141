// Lines above the table that a user must see: what was passed over, what this browser does otherwise.

const place = () => document.getElementById("notes");

export function addNote(text, items = [], isOfImages = false) {
  const note = document.createElement("div");
  note.className = "note";
  note.toggleAttribute("data-images", isOfImages);
  const line = document.createElement(items.length ? "summary" : "span");
  line.textContent = text;
  if (!items.length) note.append(line);
  else {
    const details = document.createElement("details");
    const list = document.createElement("ul");
    list.append(...items.map((item) => Object.assign(document.createElement("li"), { textContent: item })));
    details.append(line, list);
    note.append(details);
  }
  place().append(note);
  return note;
}

// Take off the notes on images; those on this browser stay.
export const clearNotes = () => place().querySelectorAll("[data-images]").forEach((note) => note.remove());

// As `tfcnn predict` says it: files of a folder that are no images.
export function notePassedOver({ images, leftOut }) {
  if (!leftOut.length) return;
  const total = images.length + leftOut.length;
  const counts = Map.groupBy ? Map.groupBy(leftOut, ({ why }) => why) : grouped(leftOut);
  const kinds = [...counts].sort((one, two) => two[1].length - one[1].length);
  const words = kinds.map(([why, files]) => `${files.length} ${why}`).join(", ");
  document.getElementById("results").hidden = false;
  addNote(`passed over ${leftOut.length} of ${total} files: ${words}`, leftOut.map(({ path }) => path), true);
}

function grouped(leftOut) {
  const found = new Map();
  for (const one of leftOut) found.set(one.why, [...(found.get(one.why) ?? []), one]);
  return found;
}

// Kinds of files that this browser decodes to other pixels than tfcnn does.
export function noteBrowser(failed) {
  if (!failed.size) return;
  const kinds = [...failed].map((name) => name.replace(/^an? /, "").replace(" image", "")).join(" and ");
  addNote(`This browser decodes ${kinds} to other pixels than tfcnn does: such images are flagged as approximate.`);
}

// A rule for groups that the page cannot follow.
export function noteGroups(rule) {
  if (rule?.kind !== "not-here") return;
  addNote(`The table has no groups here: a browser cannot follow this model's rule for them, ${rule.words}. \`tfcnn predict\` can.`);
}
