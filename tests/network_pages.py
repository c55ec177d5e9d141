"""What tests of the lab's pages with networks share: a site, and its pages as one opens them."""

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tfcnn import runs
from tfcnn.lab import site

READY_MS = 120_000


def build(folder: Path, run: runs.Run | None = None) -> Path:
    """Write the site, with a home beside it, and return its folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFCNN_HOME", str(folder.parent / "home"))
        site.build(folder, run)
    return folder


class Opener:
    """Opens pages of a site, and keeps what went wrong: console lines, requests that leave it."""

    def __init__(self, browser: Any, folder: Path) -> None:
        self.browser, self.folder = browser, folder
        self.troubles: list[str] = []
        self._contexts: list[Any] = []

    def __call__(self, name: str, width: int = 1280, **options: Any) -> Any:
        context = self.browser.new_context(viewport={"width": width, "height": 900}, **options)
        self._contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: self.troubles.append(message.text))
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        allowed = (self.folder.as_uri(), "blob:", "data:")
        page.on(
            "request",
            lambda one: one.url.startswith(allowed) or self.troubles.append(one.url),
        )
        page.goto((self.folder / f"{name}.html").as_uri())
        page.locator("html[data-ready]").wait_for(state="attached", timeout=READY_MS)
        return page

    def close(self) -> None:
        for context in self._contexts:
            context.close()


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
