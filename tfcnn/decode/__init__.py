"""From the bytes of a file to pixels."""

from tfcnn.decode import archives, limits, remarks
from tfcnn.decode.archives import Member
from tfcnn.decode.dct import Size
from tfcnn.decode.decoder import (
    Content,
    Decoder,
    Fit,
    Pixels,
    TooLargeError,
    UnreadableImageError,
    claim_file,
    content_sha256,
    histogram_of_16_bits,
    in_memory,
    open_image,
    read_file,
    read_size,
)
from tfcnn.decode.kinds import HEAD_BYTES, HTML, Kind, kind_of
from tfcnn.decode.opening import UprightImage, strips
from tfcnn.decode.remarks import Background
from tfcnn.decode.samples import NotReadError, Samples, blocks

__all__ = [
    "HEAD_BYTES",
    "HTML",
    "Background",
    "Content",
    "Decoder",
    "Fit",
    "Kind",
    "Member",
    "NotReadError",
    "Pixels",
    "Samples",
    "Size",
    "TooLargeError",
    "UnreadableImageError",
    "UprightImage",
    "archives",
    "blocks",
    "claim_file",
    "content_sha256",
    "histogram_of_16_bits",
    "in_memory",
    "kind_of",
    "limits",
    "open_image",
    "read_file",
    "read_size",
    "remarks",
    "strips",
]
