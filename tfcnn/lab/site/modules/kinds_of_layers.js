// What each kind of layer does, in a sentence.

const SENTENCES = {
  Conv2D: "Slides small filters over the maps: each filter makes one new map.",
  DepthwiseConv2D: "Slides one small filter over each map alone.",
  SeparableConv2D: "A filter for each map alone, then sums over the maps.",
  MaxPooling2D: "Keeps the greatest number of each window: the maps become smaller.",
  AveragePooling2D: "Keeps the mean of each window: the maps become smaller.",
  GlobalAveragePooling2D: "Keeps the mean of each whole map: one number for each.",
  GlobalMaxPooling2D: "Keeps the greatest number of each whole map: one number for each.",
  BatchNormalization: "Brings each map to the usual mean and spread that training found, then scales it as learnt.",
  ReLU: "What is below zero becomes zero.",
  Activation: "The same function of every number.",
  Rescaling: "Brings pixels from 0 to 255 to small numbers.",
  Flatten: "Lays all numbers in one row, in their order.",
  Dense: "Each output adds up all inputs, each with a weight of its own.",
  Dropout: "Drops numbers in training only; here it passes them on.",
  Concatenate: "Lays maps of several layers one behind the other.",
  Add: "Adds the results of two paths, place by place.",
  Average: "Takes the mean of the inputs, place by place.",
  ZeroPadding2D: "Puts zeros around the maps.",
  Cropping2D: "Cuts the borders off.",
  Flip: "The mirrored image: the network looks at both.",
  Split: "Takes one part of the maps.",
  Pad: "Puts zeros around the maps, or adds empty maps.",
  UnitNormalization: "Divides each colour by its strength in the whole image: bright and pale stains become alike.",
};

export const sentenceOf = ({ kind, activation }) => {
  const sentence = SENTENCES[kind] ?? "";
  if (!["Conv2D", "DepthwiseConv2D", "Dense"].includes(kind) || !activation || activation === "linear") return sentence;
  const after = { relu: "what is below zero becomes zero", softmax: "the outputs become shares of 1" }[activation] ?? `${activation} of each number`;
  return `${sentence} Then ${after}.`;
};

export const sizeOf = (shape) => shape.join(" \u00d7 ");
