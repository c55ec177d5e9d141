// The page: files come in, predictions appear in the table, one chunk at a time.

import { csv } from "tfcnn/csv.js";
import { openDetail } from "tfcnn/detail.js";
import { groupsOf } from "tfcnn/groups.js";
import { listen } from "tfcnn/intake.js";
import { addNote, clearNotes, noteBrowser, noteGroups, notePassedOver } from "tfcnn/notes.js";
import { openPredictor } from "tfcnn/predictor.js";
import { Table } from "tfcnn/table.js";
import { thumbnail } from "tfcnn/pictures.js";
import { unreadable } from "tfcnn/unreadable.js";

const THUMBNAIL_PX = 96;
const CHUNK_MS = 40; // of computing, before the browser may paint and hear the user
const byId = (id) => document.getElementById(id);
const waiting = []; // {path, file}
const roots = new Set(); // files and folders, as they were given
let isBusy = false;
let total = 0;
let turn = 0; // of clearing: what was begun before is not shown after

async function start() {
  const { settings, predictor } = await openPredictor();
  const detail = openDetail(settings, predictor);
  const table = new Table(settings, (row, shown) => detail.show(row, shown));
  listen(settings, (found) => take(found, { settings, predictor, table }));
  byId("download").addEventListener("click", () => download(settings, table));
  byId("clear").addEventListener("click", () => clear(table));
  for (const button of document.querySelectorAll("#drop button")) button.disabled = false;
  byId("state").textContent = "Ready.";
  noteBrowser(predictor.failed);
  noteGroups(settings.groups);
}

// Take what a user gives: `{images, leftOut, roots}`.
function take(found, tools) {
  found.roots.forEach((root) => roots.add(root));
  notePassedOver(found);
  if (!found.images.length) return;
  waiting.push(...found.images);
  total += found.images.length;
  byId("results").hidden = false;
  if (!isBusy) work(tools);
}

async function work({ settings, predictor, table }) {
  isBusy = true;
  byId("download").disabled = true;
  byId("progress-row").hidden = false;
  let since = performance.now();
  let done = [];
  const running = []; // {begun, row}: rows appear in the order of their images
  while (waiting.length || running.length) {
    for (const image of waiting.splice(0, predictor.atOnce - running.length)) {
      running.push({ begun: turn, row: predictOne(image, settings, predictor) });
    }
    const { begun, row } = running.shift();
    const found = await row;
    done = begun === turn ? [...done, found] : [];
    if (performance.now() - since < CHUNK_MS && (waiting.length || running.length)) continue;
    table.add(done);
    showProgress(table);
    done = [];
    await new Promise((resume) => setTimeout(resume));
    since = performance.now();
  }
  isBusy = false;
  byId("download").disabled = !table.rows.length;
  byId("state").textContent = byId("progress-text").textContent; // said aloud, once
}

// Return the row of an image, whatever happens: the file may be gone, or memory be too little.
async function predictOne({ path, file }, settings, predictor) {
  try {
    const bytes = new Uint8Array(await file.arrayBuffer());
    const { image, ...row } = await predictor.predict(path, bytes);
    const small = image && thumbnail(image, settings.decoder.background, THUMBNAIL_PX);
    return { ...row, file, thumbnail: small };
  } catch (error) {
    return { ...unreadable(path, `it cannot be read here: ${error.message}`), file };
  }
}

function showProgress(table) {
  const count = table.rows.length;
  byId("progress").max = total;
  byId("progress").value = count;
  const images = (number) => `${number.toLocaleString("en")} image${number === 1 ? "" : "s"}`;
  const isDone = count === total;
  const words = isDone ? `${images(total)} done` : `${count.toLocaleString("en")} of ${images(total)}`;
  byId("progress-text").textContent = words;
  byId("progress").hidden = isDone;
}

function download(settings, table) {
  const groups = groupsOf(table.rows.map(({ path }) => path), roots, settings);
  const rows = table.rows.map((row, i) => ({ ...row, group: groups[i] || row.group || "" }));
  const text = csv(rows, settings, rows.some(({ group }) => group));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = `${settings.run}-predictions.csv`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function clear(table) {
  turn += 1;
  waiting.length = 0;
  total = 0;
  roots.clear();
  table.clear();
  clearNotes();
  byId("results").hidden = true;
}

start().catch((error) => {
  byId("state").textContent =
    `This browser cannot run the model: ${error.message}. Try a current Chrome, Edge, Firefox or Safari.`;
  addNote(String(error.stack ?? error));
});
