// Numbers as Python rounds and writes them.

// Return the nearest whole number, of two the even one, as Python's `round`.
export function roundHalfEven(value) {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return rest < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}

// Return a number rounded to significant digits as Python's `float(f"{value:.{digits}g}")`.
//
// JavaScript rounds a tie away from zero, Python to the even digit.
export function significant(value, digits) {
  const more = value.toExponential(digits);
  const isTie = Number(more) === value && /5e/.test(more);
  if (!isTie) return Number(value.toPrecision(digits));
  const [mantissa, exponent] = more.split("e");
  const kept = mantissa.slice(0, -1);
  return "02468".includes(kept.at(-1)) ? Number(`${kept}e${exponent}`) : Number(value.toPrecision(digits));
}

// Return a number as Python's `repr` writes a float.
export function pythonFloat(value) {
  const [mantissa, exponent] = value.toExponential().split("e");
  const power = Number(exponent);
  if (power < -4 || power >= 16) {
    const sign = power < 0 ? "-" : "+";
    return `${mantissa}e${sign}${String(Math.abs(power)).padStart(2, "0")}`;
  }
  const plain = power < 0 ? value.toFixed(mantissa.replace(/[-.]/g, "").length - 1 - power) : String(value);
  return plain.includes(".") ? plain : `${plain}.0`;
}
