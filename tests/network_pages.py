"""What tests of the lab's pages with networks share: results on the page, and those of Keras."""

import base64
from typing import Any

import numpy as np

READY_MS = 120_000


def shown(page: Any) -> Any:
    """Wait until a network has answered."""
    page.locator("#viewer[data-shown]").wait_for(state="attached", timeout=READY_MS)
    return page


TOOLS = """
  const module = (name) => import(self.page.addresses[name]);
  const network = self.page.shown?.network;
  const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const textOf = (values) => {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    let letters = "";
    for (const byte of bytes) letters += String.fromCharCode(byte);
    return btoa(letters);
  };
"""


def call(page: Any, body: str, value: Any = None) -> Any:
    """Run JavaScript with `value`, and what `TOOLS` has; return what it returns."""
    return page.evaluate(f"async (value) => {{ {TOOLS} {body} }}", value)


def results(page: Any, pixels: np.ndarray) -> list[np.ndarray]:
    """Return what the page's network computes of uint8 pixels: each place, flat."""
    body = "return (await network.compute(bytesOf(value))).map(textOf);"
    texts = call(page, body, base64.b64encode(pixels.tobytes()).decode())
    return [np.frombuffer(base64.b64decode(text), "<f4") for text in texts]


def outputs_of_layers(model: Any, pixels: np.ndarray) -> dict[str, list[np.ndarray]]:
    """Return what each Keras layer without layers inside gives, call by call, by its name."""
    found: dict[str, list[np.ndarray]] = {}
    leaves = [one for one in model._flatten_layers(include_self=False) if not _has_inside(one)]
    originals = [(layer, layer.call) for layer in leaves]

    def watched(layer: Any, original: Any) -> Any:
        def call_and_keep(*inputs: Any, **options: Any) -> Any:
            output = original(*inputs, **options)
            found.setdefault(layer.name, []).append(np.asarray(output)[0].ravel())
            return output

        return call_and_keep

    try:
        for layer, original in originals:
            layer.call = watched(layer, original)
        model(pixels[None].astype(np.float32), training=False)
    finally:
        for layer, _ in originals:
            del layer.call
    return found


def _has_inside(layer: Any) -> bool:
    return bool(getattr(layer, "layers", None))
