// The patient, slide or video of an image, by the run's own rule: a port of `groups_of` in
// tfcnn/prediction/paths.py.

// Return the group of each path, "" for none; `roots` are the files and folders that were given.
export function groupsOf(paths, roots, { groups: rule, class_names: names }) {
  const none = paths.map(() => "");
  if (!rule || rule.kind === "not-here") return none;
  const parts = paths.map((path) => below(path, roots));
  if (rule.kind === "folder") return parts.map((own) => folderIn(own.slice(1, -1), names));
  return search(new RegExp(rule.regex, "u"), parts);
}

// The parts of a path from its root on; of a single file its folder and name.
function below(path, roots) {
  const parts = path.split("/");
  for (let end = parts.length - 1; end > 0 && !roots.has(path); end--) {
    if (roots.has(parts.slice(0, end).join("/"))) return parts.slice(end - 1);
  }
  return ["", ...parts.slice(-2)];
}

// Searched in the name; where it does not match there, in the name with the folder above, and so on.
function search(regex, images) {
  return images.map((parts) => {
    for (let length = 1; length <= parts.length; length++) {
      const match = regex.exec(parts.slice(-length).join("/"));
      const group = match ? (match.length > 1 ? match[1] : match[0]) : "";
      if (group) return group;
    }
    return "";
  });
}

function folderIn(folders, classNames) {
  const classes = classNames.map((name) => name.toLowerCase());
  const place = folders.findIndex((folder) => classes.includes(folder.toLowerCase()));
  return folders.slice(place + 1)[0] ?? "";
}
