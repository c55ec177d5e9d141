"""A short program beside an exported model, which predicts an image without tfcnn."""

from tfcnn.decode import Decoder
from tfcnn.export._format import Format
from tfcnn.export._settings import SETTINGS

SNIPPET = "predict.py"
MOST_LINES = 15
# the images that it reads as tfcnn does; of a large JPEG pixels differ by a grey level or two
LEFT_OUT = "of 8 bits, without transparency"

TEMPLATE = '''\
"""{install}; python {name} IMAGE. For images {left_out}."""
import json, sys
from pathlib import Path
import numpy as np
from PIL import Image, ImageOps
{imports}
sys.argv[1:] or sys.exit(__doc__)
here = Path(__file__).parent
settings = json.loads((here / "{settings}").read_text())
image = ImageOps.exif_transpose(Image.open(sys.argv[1])).convert("{mode}")
images = np.asarray({resize})
images = images.reshape(1, {height}, {width}, {channels})
{lines}
print(json.dumps(dict(zip(settings["class_names"], probs[0].tolist()))))
'''


def text(format_module: Format, decoder: Decoder) -> str:
    """Return the program for a format and a decoder, of at most 15 lines."""
    imports, _, lines = (format_module.SNIPPET or "").partition("\n")
    height, width, channels = decoder.shape
    libraries = " ".join((*format_module.SNIPPET_LIBRARIES, "pillow"))
    return TEMPLATE.format(
        install=f"pip install {libraries}", name=SNIPPET, left_out=LEFT_OUT, settings=SETTINGS,
        imports=imports, lines=lines.replace("{file}", format_module.FILE).rstrip(),
        mode="L" if channels == 1 else "RGB", resize=_resize(decoder),
        height=height, width=width, channels=channels,
    )  # fmt: skip


def _resize(decoder: Decoder) -> str:
    """Return the call that does what the decoder's `fit` says."""
    size, bilinear = decoder.image_size[::-1], "Image.Resampling.BILINEAR"
    if decoder.fit == "stretch":
        return f"image.resize({size}, {bilinear})"
    if decoder.fit == "pad":
        return f'ImageOps.pad(image, {size}, {bilinear}, color="{decoder.background}")'
    return f"ImageOps.fit(image, {size}, {bilinear})"
