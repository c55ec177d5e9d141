// How images come in: dropped, chosen, pasted, or from a camera.

import { sortFolder } from "tfcnn/folders.js";

const byId = (id) => document.getElementById(id);

// Call `take({images, leftOut, roots})` with what a user gives; each image is {path, file}.
export function listen(settings, take) {
  const inputs = { "choose-images": "images", "choose-folder": "folder", "take-picture": "camera" };
  for (const [button, input] of Object.entries(inputs)) {
    byId(button).addEventListener("click", () => byId(input).click());
    byId(input).addEventListener("change", async () => {
      const files = [...byId(input).files];
      byId(input).value = "";
      take(await (input === "folder" ? ofFolders(files.map(inFolder), settings) : ofFiles(files)));
    });
  }
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    byId("drop").classList.add("over");
  });
  document.addEventListener("dragleave", () => byId("drop").classList.remove("over"));
  document.addEventListener("drop", async (event) => {
    event.preventDefault();
    byId("drop").classList.remove("over");
    take(await ofDrop(event.dataTransfer, settings));
  });
  document.addEventListener("paste", (event) => {
    const files = [...event.clipboardData.files];
    if (files.length) take(ofFiles(files));
  });
}

const inFolder = (file) => ({ path: file.webkitRelativePath || file.name, file });

function ofFiles(files) {
  const images = files.map((file) => ({ path: file.name, file }));
  return { images, leftOut: [], roots: images.map(({ path }) => path) };
}

// Files of folders, whose path begins with the folder's name.
async function ofFolders(files, settings) {
  const roots = [...new Set(files.map(({ path }) => path.split("/")[0]))];
  const found = { images: [], leftOut: [], roots };
  for (const root of roots) {
    const sorted = await sortFolder(files.filter(({ path }) => path.startsWith(`${root}/`)), settings);
    found.images.push(...sorted.images);
    found.leftOut.push(...sorted.leftOut);
  }
  return found;
}

async function ofDrop(transfer, settings) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.());
  if (!entries.some((entry) => entry?.isDirectory)) return ofFiles([...transfer.files]);
  const found = { images: [], leftOut: [], roots: [] };
  for (const entry of entries.filter(Boolean)) {
    const files = await filesBelow(entry, "");
    const part = entry.isDirectory ? await ofFolders(files, settings) : ofFiles(files.map(({ file }) => file));
    for (const key of Object.keys(found)) found[key].push(...part[key]);
  }
  return found;
}

async function filesBelow(entry, above) {
  const path = above + entry.name;
  if (entry.isFile) return [{ path, file: await new Promise((found, fail) => entry.file(found, fail)) }];
  const reader = entry.createReader();
  const files = [];
  for (;;) {
    const some = await new Promise((found, fail) => reader.readEntries(found, fail)); // 100 at a time
    if (!some.length) return files;
    for (const one of some) files.push(...(await filesBelow(one, `${path}/`)));
  }
}
