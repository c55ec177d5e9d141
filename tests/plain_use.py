"""Use an export as a stranger does: its own `predict.py`, and the rules of `settings.json`.

    python plain_use.py EXPORT FILE... > answers.json

It knows nothing of tfcnn. The lines of `predict.py` run once per file, but the model is opened
once. What its last line asks the model, for `probs`, is asked once more for `features`.
`by_keras` asks `model.keras` instead.
"""

import contextlib
import functools
import importlib
import io
import json
import sys
from pathlib import Path

import numpy as np

OPENERS = (
    ("ai_edge_litert.interpreter", "Interpreter"),
    ("onnxruntime", "InferenceSession"),
    ("tensorflow.saved_model", "load"),
)


def opened_once():
    """Let each library remember the model that it opened."""
    for module, name in OPENERS:
        with contextlib.suppress(ImportError):
            found = importlib.import_module(module)
            setattr(found, name, functools.cache(getattr(found, name)))


def by_program(folder, files):
    """Yield pixels, probs and features of each file, as `predict.py` computes them."""
    path = folder / "predict.py"
    lines = path.read_text().splitlines()
    program = compile("\n".join(lines), path, "exec")
    (asked,) = (line for line in lines if line.startswith("probs = "))
    for file in files:
        sys.argv = [str(path), str(file)]
        names = {"__name__": "__main__", "__file__": str(path)}
        with contextlib.redirect_stdout(io.StringIO()) as said:
            exec(program, names)
        assert json.loads(said.getvalue()).values() is not None
        exec(asked.replace("probs", "features"), names)
        yield names["images"][0], names["probs"][0], names["features"][0]


def by_keras(path, settings, files):
    """Yield the same as Keras alone computes it from `model.keras`, decoded by Pillow."""
    import keras
    from PIL import Image, ImageOps

    model = keras.saving.load_model(path, compile=False)
    both = keras.Model(model.inputs[0], [model.outputs[0], model.get_layer("head").input])
    decoder = settings["decoder"]
    height, width = decoder["image_size"]
    assert decoder["fit"] == "stretch"
    for file in files:
        image = ImageOps.exif_transpose(Image.open(file))
        image = image.convert("L" if decoder["channels"] == 1 else "RGB")
        image = image.resize((width, height), Image.Resampling.BILINEAR)
        pixels = np.asarray(image).reshape(height, width, -1)
        probs, features = (np.asarray(one) for one in both(pixels[None].astype(np.float32)))
        yield pixels, probs[0], features[0]


def decided(settings, probs):
    """Return the decision: the positive class from the threshold on, upwards."""
    names = settings["class_names"]
    if settings["positive"] is None:
        return names[int(np.argmax(probs))]
    positive = names.index(settings["positive"])
    over = probs[positive] >= np.float32(settings["threshold"])
    return names[positive if over else 1 - positive]


def flagged(settings, pixels, probs, features):
    """Return the flag; out of the domain counts more than close to call."""
    rules = settings["flags"]
    if (usual := rules["out_of_domain"]) and max(distances(usual, pixels, features)) > usual[
        "threshold"
    ]:
        return "out-of-domain"
    if band := rules["abstain"]:
        names = settings["class_names"]
        positive = settings["positive"]
        stated = max(probs) if positive is None else probs[names.index(positive)]
        if np.float32(band["low"]) <= stated < np.float32(band["high"]):
            return "abstain"
    return ""


def distances(usual, pixels, features):
    """Return the two distances from the training images, on the scale of the threshold."""
    arrays = {name: np.array(values, np.float64) for name, values in usual["arrays"].items()}
    away = (statistics(pixels) - arrays["pixel_mean"]) / arrays["pixel_scale"]
    of_pixels = np.mean((away @ arrays["pixel_whiten"]) ** 2)
    unit = features / max(np.linalg.norm(features), 1e-9)
    point = (unit - arrays["feature_mean"]) @ arrays["feature_axes"]
    squares = np.sort(((arrays["neighbours"] - point) ** 2).sum(axis=1))
    of_features = squares[min(usual["neighbour"], len(squares) - 1)]
    logs = [0.5 * np.log(max(square, 1e-12)) for square in (of_pixels, of_features)]
    scale = zip(logs, usual["center"], usual["spread"], strict=True)
    return [(log - center) / spread for log, center, spread in scale]


def statistics(pixels):
    """Return 13 numbers per channel, and 6 for colour, in the order of `pixel_mean`."""
    height, width, channels = pixels.shape
    step = max(1, min(height, width) // 24)
    shares = pixels / 255

    def grid(down, across):
        return shares[down : height - 2 + down : step, across : width - 2 + across : step]

    values, right = grid(0, 0), grid(0, 1)
    rows, columns = values.shape[:2]
    y = 2 * (np.arange(rows) - (rows - 1) / 2) / rows
    x = 2 * (np.arange(columns) - (columns - 1) / 2) / columns
    radius = np.sqrt(y[:, None] ** 2 + x[None, :] ** 2)
    zones = [radius < 0.5, (radius >= 0.5) & (radius < 0.9), radius >= 1.1]
    found = [[[values[zone, c].mean() for zone in zones] for c in range(channels)]]
    found.append([[values[zone, c].std() for zone in zones] for c in range(channels)])
    ordered = np.sort(values.reshape(-1, channels), axis=0)
    places = [round(share * (len(ordered) - 1)) for share in (0.05, 0.25, 0.5, 0.75, 0.95)]
    found.append(ordered[places].T)
    across = np.abs(right - values).mean(axis=(0, 1))
    down = np.abs(grid(1, 0) - values).mean(axis=(0, 1))
    curved = np.abs(grid(0, 2) + values - 2 * right).mean(axis=(0, 1))
    found += [np.log(across + down + 0.01), curved / (across + 0.01)]
    if channels == 3:
        hues = values[:, :, [0, 2]] - values[:, :, [1]]
        found.append(hues.mean(axis=(0, 1)))
        found.append(np.log(hues.std(axis=(0, 1)) + 0.003))
        found.append(np.log(np.abs(hues).mean(axis=(0, 1)) + 0.003))
    return np.concatenate([np.ravel(one) for one in found])


def answers(settings, computed):
    """Return an answer per file, of the pixels, probs and features that were computed."""
    return [
        {
            "probs": [float(value) for value in probs],
            "decision": decided(settings, probs),
            "flag": flagged(settings, pixels, probs, features),
        }
        for pixels, probs, features in computed
    ]


def main(folder, *files):
    settings = json.loads((folder / "settings.json").read_text())
    opened_once()
    print(json.dumps(answers(settings, by_program(folder, files))))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
