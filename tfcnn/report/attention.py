"""Where a model looked at the images that a report shows, for networks that can tell."""

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from tfcnn.base.errors import InputError
from tfcnn.runs import MODEL, Run

__all__ = ["overlays"]


def overlays(
    run: Run,
    images: Sequence[Image.Image],
    classes: Sequence[int],
    tell: Callable[[str], object] | None = None,
) -> list[Image.Image] | None:
    """Lay over each image what speaks for a class, by LayerCAM: finer than Grad-CAM.

    Args:
        run: whose model is asked; this loads TensorFlow.
        images: as the source holds them.
        classes: per image the index of a class.
        tell: hears why there are no pictures, where there are images.

    Returns:
        A picture per image, as large as it; None for a run without a saved Keras model, or whose
        network cannot be explained.

    Raises:
        CheckError: if the model is not the one that was measured.
    """
    if not images:
        return None
    tell = tell or (lambda _: None)
    if not (run.path / MODEL).is_file():
        tell("the run has no model.keras, whose gradients explain it")
        return None
    from tfcnn.explain import Explainer, overlay

    try:
        explainer = Explainer(run, "layer-cam")
    except InputError as error:  # nothing in such a network knows of places, say
        tell(error.problem)
        return None
    decoded = np.stack([run.decoder.decode(np.asarray(image)) for image in images])
    maps = explainer.maps(decoded, np.asarray(classes))
    # only where the image was stretched does the map cover all of it
    is_whole = run.decoder.fit == "stretch"
    shown = [np.asarray(image.convert("RGB")) for image in images] if is_whole else decoded
    return [Image.fromarray(overlay(pixels, cam)) for pixels, cam in zip(shown, maps, strict=True)]
