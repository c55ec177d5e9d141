// Values and names as a person reads them.

const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

// A name without signs that turn letters or are not seen.
export const visible = (text) =>
  text.replace(HIDDEN, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);

// A share in per cent; never 100 % of what is less than sure.
export function percent(share) {
  const text = (100 * share).toFixed(1);
  if (text === "100.0" && share < 1) return "> 99.9\u00a0%";
  return text === "0.0" && share > 0 ? "< 0.1\u00a0%" : `${text}\u00a0%`;
}
