"use strict";
// A table of judgements as text and back: a port of `cell` and `from_cell` in tfcnn/base/naming.py.

const HIDDEN = "\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028-\\u202e" +
  "\\u2066-\\u2069\\ud800-\\udfff\\ufffe\\uffff";
const IN_CELL = new RegExp(`[${HIDDEN}]|\\\\(?=x[0-9a-f]{2}|u[0-9a-f]{4})`, "gu");
const ESCAPE = /\\(?:x([0-9a-f]{2})|u([0-9a-f]{4}))/g;
const APOSTROPHE_BEFORE = [..."=+-@\uff1d\uff0b\uff0d\uff20\t\r\n'"];

// A text as a table holds it: no sign that controls a terminal, nothing that looks like a formula.
function cell(text) {
  const plain = text.replace(IN_CELL, (sign) => {
    const number = sign.codePointAt(0);
    const [letter, digits] = number < 256 ? ["x", 2] : ["u", 4];
    return `\\${letter}${number.toString(16).padStart(digits, "0")}`;
  });
  return APOSTROPHE_BEFORE.includes(plain.slice(0, 1)) ? `'${plain}` : plain;
}

function fromCell(text) {
  const isSet = text[0] === "'" && APOSTROPHE_BEFORE.includes(text[1]);
  const plain = isSet ? text.slice(1) : text;
  return plain.replace(ESCAPE, (_, two, four) => String.fromCodePoint(parseInt(two ?? four, 16)));
}

// Return the text of a table.
function writeTable(header, rows) {
  const quoted = (value) => {
    const safe = cell(String(value));
    return /[",;\t\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return [header, ...rows].map((row) => `${row.map(quoted).join(",")}\n`).join("");
}

// Return the rows of a table by its header; a spreadsheet may have saved it with semicolons or tabs.
function readTable(text) {
  const plain = text.replace(/^\ufeff/, "");
  const first = plain.split(/\r?\n/, 1)[0];
  const separator = [",", ";", "\t"].reduce((a, b) => (first.split(b).length > first.split(a).length ? b : a));
  const [header = [], ...lines] = linesOf(plain, separator);
  const names = header.map((name) => name.trim().toLowerCase());
  const rows = lines.filter((line) => line.some((value) => value !== ""));
  return rows.map((line) => Object.fromEntries(names.map((name, i) => [name, fromCell(line[i] ?? "")])));
}

function linesOf(text, separator) {
  const lines = [];
  let [line, value, isQuoted] = [[], "", false];
  const endValue = () => { line.push(value); value = ""; };
  const endLine = () => { endValue(); lines.push(line); line = []; };
  for (let i = 0; i < text.length; i++) {
    const sign = text[i];
    if (isQuoted && sign === '"' && text[i + 1] === '"') { value += sign; i++; }
    else if (isQuoted && sign === '"') isQuoted = false;
    else if (isQuoted) value += sign;
    else if (sign === '"' && value === "") isQuoted = true;
    else if (sign === separator) endValue();
    else if (sign === "\n") endLine();
    else if (sign !== "\r") value += sign;
  }
  if (value !== "" || line.length) endLine();
  return lines;
}
