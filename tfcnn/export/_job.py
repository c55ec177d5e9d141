"""What an export is made of: a run, its model in Keras, and its images."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tfcnn.base.progress import Reporter
from tfcnn.export import _images
from tfcnn.export._images import Sample
from tfcnn.runs import TWIN, Run, keras_file

if TYPE_CHECKING:
    from tfcnn.prediction import Predictor

Floats = npt.NDArray[np.float32]
HEAD, INPUT, OUTPUTS = "head", "images", ("probs", "features")


@dataclass(frozen=True)
class Job:
    """One export.

    Attributes:
        run: what is exported.
        reporter: hears of the stages.
    """

    run: Run
    reporter: Reporter

    @cached_property
    def keras(self) -> "Predictor":
        """The saved model, computed by Keras: what every export is compared with."""
        from tfcnn.prediction import Predictor

        return Predictor(self.run, engine="keras")

    @cached_property
    def model(self) -> Any:
        """The saved model as a `keras.Model` whose output has a column per class.

        Its features are what enters its layer "head".
        """
        model = keras_file.load(self.run.model_path)
        if model.output_shape[-1] != 1:
            return model
        import keras

        positive = model.outputs[0]
        columns = keras.layers.Concatenate(name="probs")([1 - positive, positive])
        return keras.Model(model.inputs[0], columns)

    @property
    def has_two_columns(self) -> bool:
        """Whether the output of the saved model has another number of columns than the export."""
        return bool(self.model.get_layer(HEAD).units == 1)

    @property
    def twin(self) -> Path | None:
        """The LiteRT twin of the run, whose sha256 was checked; None where there is none."""
        return self.run.file(TWIN) if self.run.is_recorded(TWIN) else None

    def function(self) -> Any:
        """Return a `tf.function`: uint8 `images` in; float32 `probs` and `features` out, by name.

        It has one signature, for any number of images.
        """
        import keras
        import tensorflow as tf

        model = self.model
        both = keras.Model(model.inputs[0], [model.outputs[0], model.get_layer(HEAD).input])

        def serve(images: Any) -> dict[str, Any]:
            probs, features = both(tf.cast(images, tf.float32), training=False)
            return dict(zip(OUTPUTS, (probs, features), strict=True))

        signature = [tf.TensorSpec((None, *self.run.decoder.shape), tf.uint8, name=INPUT)]
        return tf.function(serve, input_signature=signature)

    @cached_property
    def sample(self) -> Sample:
        """The images on which the export and the saved model are compared."""
        return _images.sample(self.run)
