// Modules of a page that opens from its file, where the browser fetches none: the page holds their
// texts. A module has an address once its text is unpacked, so its imports get theirs here.

function addressOf(name, code, addresses) {
  const linked = code.replace(/ from "([^"]+)"/g, (_, other) => ` from "${addresses[other]}"`);
  return URL.createObjectURL(new Blob([linked, `\n//# sourceURL=${name}\n`], { type: "text/javascript" }));
}

// Give each of `[name, text]` an address; a module comes after those that it imports.
function link(modules) {
  const addresses = {};
  for (const [name, code] of modules) addresses[name] = addressOf(name, code, addresses);
  return addresses;
}
