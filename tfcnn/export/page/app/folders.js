// Which files of a folder are images: a port of tfcnn/datasets/_files.py. `names` are its words.

import { kindOf } from "tfcnn/kinds.js";

const lastName = (path) => path.slice(path.lastIndexOf("/") + 1);
const stem = (path) => lastName(path).toLowerCase().replace(/(?<=.)\.[^.]*$/, "");
const fits = (pattern, text) => new RegExp(`^(?:${pattern})$`, "i").exec(text);

function suffix(name) {
  const low = name.toLowerCase();
  if (low.endsWith(".nii.gz")) return ".nii.gz";
  return low.includes(".") ? low.slice(low.lastIndexOf(".")) : "";
}

// Sort files into `{images, leftOut}`, by path; `files` are {path, file}, `leftOut` has a `why`.
export async function sortFolder(files, settings) {
  const { folders: names, ignore, kinds } = settings;
  const root = { path: "", images: [], leftOut: [], folders: new Map() };
  for (const one of files) {
    const parts = one.path.split("/");
    const litter = parts.slice(1, -1).find((part) => isLitter(part, names));
    if (litter) root.leftOut.push({ ...one, why: `in ${litter}` });
    else if (isIgnored(parts.slice(1).join("/"), ignore)) root.leftOut.push({ ...one, why: names.words.ignored });
    else folderOf(root, parts.slice(1, -1)).images.push(one);
  }
  for (const folder of below(root)) await sortFiles(folder, names, kinds);
  setMasksAside(root, names);
  const all = [...below(root)];
  return {
    images: all.flatMap((folder) => folder.images).sort((one, two) => byLetters(one.path, two.path)),
    leftOut: all.flatMap((folder) => folder.leftOut),
  };
}

function folderOf(root, parts) {
  let folder = root;
  for (const name of parts) {
    const inside = { name, images: [], leftOut: [], folders: new Map() };
    if (!folder.folders.has(name)) folder.folders.set(name, inside);
    folder = folder.folders.get(name);
  }
  return folder;
}

function* below(folder) {
  yield folder;
  for (const child of folder.folders.values()) yield* below(child);
}

const isLitter = (name, { litter }) => name.startsWith(".") || litter.includes(name.toLowerCase());

async function sortFiles(folder, names, kinds) {
  const candidates = folder.images;
  folder.images = [];
  for (const one of candidates) {
    const why = await reason(one, names, kinds);
    if (why) folder.leftOut.push({ ...one, why });
    else folder.images.push(one);
  }
  const masks = masksOf(folder.images, names);
  folder.leftOut.push(...masks.map((one) => ({ ...one, why: names.words.mask })));
  folder.images = folder.images.filter((one) => !masks.includes(one));
}

async function reason({ path, file }, names, kinds) {
  const name = lastName(path);
  const isHidden = isLitter(name, names) || names.system.includes(name.toLowerCase());
  if (isHidden || name.startsWith("~$")) return names.words.hidden;
  const end = suffix(name);
  if (names.image.includes(end)) return "";
  if (!names.other.includes(end)) {
    const kind = kindOf(new Uint8Array(await file.slice(0, 4096).arrayBuffer()), kinds);
    if (kind?.isRead || kind?.isPicture) return "";
  }
  return end || "without a suffix";
}

// Files named as masks of others, unless there are so many that they are the images.
function masksOf(images, { mask_stems: patterns, most_masks: most }) {
  const stems = new Set(images.map(({ path }) => stem(path)));
  const masks = images.filter(({ path }) =>
    patterns.some((pattern) => stems.has(fits(pattern, stem(path))?.[1])),
  );
  return masks.length <= most * (images.length - masks.length) ? masks : [];
}

function setMasksAside(folder, names) {
  const children = [...folder.folders.values()];
  const count = (one) => [...below(one)].reduce((sum, { images }) => sum + images.length, 0);
  const hasImages =
    folder.images.length > 0 || children.some((child) => fits(names.image_folder, child.name) && count(child));
  for (const child of children) {
    if (hasImages && isAside(child, folder, names)) leaveOut(child);
    else setMasksAside(child, names);
  }
}

function leaveOut(child) {
  const why = `in a folder ${child.name}`;
  for (const folder of below(child)) {
    folder.leftOut.push(...folder.images.map((one) => ({ ...one, why })));
    folder.images = [];
  }
}

function isAside(child, parent, names) {
  if (!fits(names.augmented, child.name)) return Boolean(fits(names.mask_folder, child.name));
  const own = [...below(child)].flatMap(({ images }) => images);
  const within = new Set(own.map(({ path }) => path));
  const beside = [...below(parent)].flatMap(({ images }) => images).filter(({ path }) => !within.has(path));
  const others = new Set(beside.map(({ path }) => stem(path)));
  const copies = own.filter(({ path }) => holds(stem(path), others)).length;
  return own.length > 0 && 2 * copies > own.length;
}

// Whether a name begins or ends with another: `aug_x_2`, `x (1)`.
function holds(name, others) {
  const cuts = [0, name.length];
  for (const cut of name.matchAll(/[^0-9a-zA-Z]+/g)) cuts.push(cut.index, cut.index + cut[0].length);
  return cuts.some((at) => others.has(name.slice(0, at)) || others.has(name.slice(at)));
}

// Whether a path, or names of it that follow each other, match a pattern such as `*_bad*`.
function isIgnored(path, patterns) {
  const parts = path.toLowerCase().split("/");
  return patterns.some((pattern) => {
    const glob = asRegex(pattern.toLowerCase().replace(/^\.\//, "").replace(/\/+$/, ""));
    const starts = parts.map((_, from) => parts.slice(from));
    return starts.some((rest) => rest.some((_, i) => glob.test(rest.slice(0, i + 1).join("/"))));
  });
}

function asRegex(pattern) {
  const parts = pattern.match(/\*|\?|\[!?\]?[^\]]*\]|[^]/g) ?? [];
  const each = parts.map((part) => {
    if (part === "*") return "[^]*";
    if (part === "?") return "[^]";
    if (part.length > 1) return part.replace(/^\[!/, "[^").replaceAll("\\", "\\\\");
    return part.replace(/[.*+?^${}()|[\]\\/-]/g, "\\$&");
  });
  return new RegExp(`^${each.join("")}$`);
}

// In the order of code points, as Python sorts texts.
function byLetters(one, two) {
  const [a, b] = [[...one], [...two]];
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    if (a[i] !== b[i]) return a[i].codePointAt(0) - b[i].codePointAt(0);
  }
  return a.length - b.length;
}
