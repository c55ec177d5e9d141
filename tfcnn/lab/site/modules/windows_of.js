// Which part of its input a place of a layer's result is made of.

// Return `{kernel, stride, dilation, before}` of a layer along height (0) or width (1); `before` is
// how far "same" padding reaches beyond the first pixel, as TensorFlow pads.
export function windowOf({ settings, kind }, axis, size, newSize) {
  const kernel = (settings.kernel_size ?? settings.pool_size)?.[axis];
  if (kernel === undefined || kind === "Conv2DTranspose") return null;
  const stride = settings.strides?.[axis] ?? 1;
  const dilation = settings.dilation_rate?.[axis] ?? 1;
  const reach = (kernel - 1) * dilation + 1;
  const missing = Math.max((newSize - 1) * stride + reach - size, 0);
  return { kernel, stride, dilation, before: settings.padding === "same" ? missing >> 1 : 0 };
}

// Return the places along one axis of the input that a place of the output sees, `[position in the
// kernel, place]` each; those in the padding are left out.
export function taps({ kernel, stride, dilation, before }, at, size) {
  const found = [];
  for (let k = 0; k < kernel; k++) {
    const place = at * stride + k * dilation - before;
    if (place >= 0 && place < size) found.push([k, place]);
  }
  return found;
}

// Return how far a layer moves the image, `[down, across]`: pixels added before the first.
export function marginOf({ kind, settings }) {
  if (kind === "ZeroPadding2D") return settings.padding.map((pair) => pair[0]);
  if (kind === "Cropping2D") return settings.cropping.map((pair) => -pair[0]);
  if (kind === "Pad" && settings.pad_width.length === 4) return settings.pad_width.slice(1, 3).map((pair) => pair[0]);
  return [0, 0];
}

// Return the box `[top, left, bottom, right]` of the image that a box of a result depends on by its
// layers' windows; null where no path leads to the image. What a layer computes of a whole image,
// such as the norm by which it divides, does not count.
export function seenBy(network, place, box) {
  const boxes = new Map([[place, box]]);
  for (const step of network.steps.slice().reverse()) {
    const own = boxes.get(step.place);
    if (!own) continue;
    step.inputs.forEach((input) => {
      const found = before(step, own, network.shape(input));
      boxes.set(input, joined(boxes.get(input), found));
    });
  }
  return boxes.get(0) ?? null;
}

function joined(one, other) {
  if (!one) return other;
  return one.map((side, i) => (i < 2 ? Math.min(side, other[i]) : Math.max(side, other[i])));
}

// The box of a layer's input that a box of its result is made of.
function before(step, box, shape) {
  if (shape.length !== 3) return [0, 0, 1, 1];
  const whole = [0, 0, shape[0], shape[1]];
  if (step.shape.length !== 3 || /^(Flatten|Reshape|Global)/.test(step.kind)) return whole;
  const margin = marginOf(step);
  const sides = [0, 1].map((axis) => {
    const [low, high] = [box[axis], box[axis + 2]];
    if (step.kind === "Flip" && step.settings.axis === axis + 1) return [shape[axis] - high, shape[axis] - low];
    const window = windowOf(step, axis, shape[axis], step.shape[axis]);
    if (window) {
      const reach = (window.kernel - 1) * window.dilation + 1;
      return [low * window.stride - window.before, (high - 1) * window.stride - window.before + reach];
    }
    if (shape[axis] !== step.shape[axis] && !margin.some(Boolean) && step.kind !== "Cropping2D") return [0, shape[axis]];
    return [low - margin[axis], high - margin[axis]];
  });
  const clipped = sides.map(([low, high], axis) => [Math.max(0, low), Math.min(shape[axis], high)]);
  return [clipped[0][0], clipped[1][0], clipped[0][1], clipped[1][1]];
}
