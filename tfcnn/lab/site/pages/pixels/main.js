import { data } from "lab/data.js";
import { paintGrey } from "lab/paint.js";

paintGrey(document.getElementById("digit"), data.digits[3].pixels, 28, 28);
