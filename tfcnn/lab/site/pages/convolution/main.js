// Convolution as a layer: each section of the page is a module.

import { onTheme } from "lab/theme.js";
import { countParameters } from "page/counting.js";
import { showFields } from "page/fields.js";
import { showMaps } from "page/maps.js";
import { showNeurons } from "page/neurons.js";

for (const show of [showNeurons, showMaps, countParameters, showFields]) onTheme(show());
