// Predictions as `tfcnn predict --output` writes them, byte for byte: a port of `in_digits` in
// tfcnn/prediction/output.py, of `cell` in tfcnn/base/naming.py and of `_quoted` in
// tfcnn/base/atomic.py.

import { pythonFloat, significant } from "tfcnn/numbers.js";

const DIGITS = [6, 7, 8, 9];
const USUAL = /^[\w./][\w./ -]*$/;
const NEEDS_QUOTES = /[",;\t\r\n]/;
const HIDDEN = "\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028-\\u202e" +
  "\\u2066-\\u2069\\ud800-\\udfff\\ufffe\\uffff";
const IN_CELL = new RegExp(`[${HIDDEN}]|\\\\(?=x[0-9a-f]{2}|u[0-9a-f]{4})`, "gu");
const APOSTROPHE_BEFORE = [..."=+-@\uff1d\uff0b\uff0d\uff20\t\r\n'"];

// Return the text of the table: a header, and a line per prediction.
export function csv(predictions, { class_names, positive, threshold }, hasGroups) {
  const last = hasGroups ? ["group"] : [];
  const header = ["path", "predicted", ...class_names.map((name) => `prob_${name}`), "decision", "flag", ...last];
  const rows = predictions.map((one) => {
    const probs = one.probs ? inDigits(one.probs, positive, threshold).map(pythonFloat) : class_names.map(() => "");
    const group = hasGroups ? [quoted(one.group)] : [];
    return [quoted(one.path), quoted(one.predicted), ...probs, quoted(one.decision), quoted(one.flag), ...group];
  });
  return [header.map(quoted), ...rows].map((row) => `${row.join(",")}\n`).join("");
}

// Probabilities in as few digits as tell apart what differs, on the same side of the threshold.
export function inDigits(probs, positive, threshold) {
  let printed = probs;
  for (const digits of DIGITS) {
    printed = probs.map((prob) => significant(prob, digits));
    const isFaithful = new Set(printed).size === new Set(probs).size;
    const isSameSide = positive === null || probs[positive] >= threshold === printed[positive] >= threshold;
    if (isFaithful && isSameSide) break;
  }
  return printed;
}

export function quoted(text) {
  if (USUAL.test(text)) return text;
  const safe = cell(text);
  return NEEDS_QUOTES.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

// A text as a table holds it: no sign that controls a terminal, nothing that looks like a formula.
function cell(text) {
  const plain = text.replace(IN_CELL, escaped);
  return APOSTROPHE_BEFORE.includes(plain.slice(0, 1)) ? `'${plain}` : plain;
}

function escaped(sign) {
  const number = sign.codePointAt(0);
  const [letter, digits] = number < 256 ? ["x", 2] : ["u", 4];
  return `\\${letter}${number.toString(16).padStart(digits, "0")}`;
}
