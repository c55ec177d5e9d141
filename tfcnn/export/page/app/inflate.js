// Unpack zlib data (RFC 1950 and 1951) that must be whole, up to a known length.
//
// The browser's own DecompressionStream has no such bound: some kB would fill all memory.

const LENGTH_BASE = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83,
  99, 115, 131, 163, 195, 227, 258];
const LENGTH_BITS = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5,
  5, 0];
const DISTANCE_BASE = [1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769,
  1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577];
const DISTANCE_BITS = [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11,
  11, 12, 12, 13, 13];
const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const LONGEST = 15; // bits of a code
const FIXED = makeFixed();

// Return all unpacked data, or null where they are damaged, cut short, or more than `most` bytes.
export function inflateWhole(data, most) {
  const { bytes, isEnded, end } = unpack(data, most + 1);
  const isWhole = isEnded && bytes.length <= most && end + 4 <= data.length;
  return isWhole && adler32(bytes) === new DataView(data.buffer, data.byteOffset + end).getUint32(0) ? bytes : null;
}

function adler32(bytes) {
  let [low, high] = [1, 0];
  for (let start = 0; start < bytes.length; start += 4096) {
    const end = Math.min(start + 4096, bytes.length); // so many stay below 2 ** 32
    for (let i = start; i < end; i++) high += low += bytes[i];
    low %= 65521;
    high %= 65521;
  }
  return high * 65536 + low;
}

function unpack(data, wanted) {
  const out = new Uint8Array(wanted);
  const state = { data, at: 2, bits: 0, count: 0, out, size: 0 };
  const header = data.length < 2 ? 1 : data[0] * 256 + data[1];
  const isZlib = header % 31 === 0 && (data[0] & 15) === 8 && data[0] >> 4 <= 7;
  if (!isZlib || data[1] & 32) return { bytes: out.subarray(0, 0), isEnded: false, end: 0 };
  let isLast = false;
  let isSound = true;
  try {
    while (!isLast && state.size < wanted) {
      isLast = take(state, 1) === 1;
      const kind = take(state, 2);
      if (kind === 0) copyStored(state);
      else if (kind === 1) unpackBlock(state, FIXED.lengths, FIXED.distances);
      else if (kind === 2) unpackBlock(state, ...readTables(state));
      else throw new RangeError("a block of no known kind");
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    isSound = false;
  }
  const end = state.at - (state.count >> 3); // whole bytes that were read ahead
  return { bytes: out.subarray(0, state.size), isEnded: isLast && isSound, end };
}

function take(state, number) {
  while (state.count < number) {
    if (state.at >= state.data.length) throw new RangeError("the data end too early");
    state.bits |= state.data[state.at++] << state.count;
    state.count += 8;
  }
  const value = state.bits & ((1 << number) - 1);
  state.bits >>>= number;
  state.count -= number;
  return value;
}

function copyStored(state) {
  state.at -= state.count >> 3; // whole bytes that were read ahead
  state.bits = state.count = 0;
  const { data, at, out } = state;
  const length = data[at] | (data[at + 1] << 8);
  if (at + 4 > data.length || length !== ((data[at + 2] | (data[at + 3] << 8)) ^ 0xffff)) {
    throw new RangeError("a stored block of a wrong length");
  }
  const part = data.subarray(at + 4, at + 4 + Math.min(length, out.length - state.size));
  out.set(part, state.size);
  state.size += part.length;
  state.at = at + 4 + length;
}

// A table that finds code and value by the next 15 bits: value * 16 + length of the code.
function makeTable(lengths) {
  const counts = new Uint16Array(LONGEST + 1);
  for (const length of lengths) counts[length] += 1;
  counts[0] = 0;
  const next = new Uint16Array(LONGEST + 2);
  let left = 1;
  for (let length = 1; length <= LONGEST; length++) {
    next[length + 1] = (next[length] + counts[length]) << 1;
    left = 2 * left - counts[length];
    if (left < 0) throw new RangeError("too many codes");
  }
  const table = new Uint16Array(1 << LONGEST);
  lengths.forEach((length, value) => {
    if (length === 0) return;
    let code = 0;
    for (let bit = 0; bit < length; bit++) code |= ((next[length] >> bit) & 1) << (length - 1 - bit);
    next[length] += 1;
    for (; code < table.length; code += 1 << length) table[code] = value * 16 + length;
  });
  return { table, left };
}

function makeFixed() {
  const lengths = Array.from({ length: 288 }, (_, i) => (i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8));
  return { lengths: makeTable(lengths).table, distances: makeTable(Array(30).fill(5)).table };
}

function readTables(state) {
  const numLengths = take(state, 5) + 257;
  const numDistances = take(state, 5) + 1;
  const numCodes = take(state, 4) + 4;
  if (numLengths > 286 || numDistances > 30) throw new RangeError("too many codes");
  const codeLengths = Array(19).fill(0);
  for (let i = 0; i < numCodes; i++) codeLengths[ORDER[i]] = take(state, 3);
  const codes = makeTable(codeLengths);
  if (codes.left > 0) throw new RangeError("too few codes");
  const lengths = [];
  while (lengths.length < numLengths + numDistances) {
    const code = decode(state, codes.table);
    if (code < 16) lengths.push(code);
    else if (code === 16 && !lengths.length) throw new RangeError("nothing to repeat");
    else if (code === 16) repeat(lengths, lengths.at(-1), 3 + take(state, 2));
    else if (code === 17) repeat(lengths, 0, 3 + take(state, 3));
    else repeat(lengths, 0, 11 + take(state, 7));
  }
  if (lengths.length > numLengths + numDistances || lengths[256] === 0) {
    throw new RangeError("wrong lengths of codes");
  }
  const first = checkedTable(lengths.slice(0, numLengths));
  return [first, checkedTable(lengths.slice(numLengths))];
}

// zlib takes an incomplete set of codes only where it is a single code of one bit.
function checkedTable(lengths) {
  const { table, left } = makeTable(lengths);
  if (left > 0 && lengths.some((length) => length > 1)) throw new RangeError("too few codes");
  return table;
}

function repeat(list, value, times) {
  for (let i = 0; i < times; i++) list.push(value);
}

function decode(state, table) {
  while (state.count < LONGEST && state.at < state.data.length) {
    state.bits |= state.data[state.at++] << state.count;
    state.count += 8;
  }
  const entry = table[state.bits & 0x7fff];
  const length = entry & 15;
  if (length === 0 || length > state.count) throw new RangeError("no such code");
  state.bits >>>= length;
  state.count -= length;
  return entry >> 4;
}

function unpackBlock(state, lengths, distances) {
  const { out } = state;
  while (state.size < out.length) {
    const code = decode(state, lengths);
    if (code < 256) {
      out[state.size++] = code;
      continue;
    }
    if (code === 256) return;
    if (code > 285) throw new RangeError("no such length");
    const length = LENGTH_BASE[code - 257] + take(state, LENGTH_BITS[code - 257]);
    const place = decode(state, distances);
    if (place > 29) throw new RangeError("no such distance");
    const distance = DISTANCE_BASE[place] + take(state, DISTANCE_BITS[place]);
    if (distance > state.size) throw new RangeError("a distance beyond the start");
    const end = Math.min(state.size + length, out.length);
    for (let at = state.size; at < end; at++) out[at] = out[at - distance];
    state.size = end;
  }
}
