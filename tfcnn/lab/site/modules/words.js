// Numbers as they are read.

// Return a number with at most so many decimals, and a true minus sign.
export function short(value, decimals = 2) {
  const text = Number(value.toFixed(decimals)).toString();
  return text === "-0" ? "0" : text.replace("-", "\u2212");
}

export const whole = (value) => value.toLocaleString("en");

// Return a share in percent, such as "75 %".
export const percent = (share, decimals = 1) => `${short(100 * share, decimals)} %`;
