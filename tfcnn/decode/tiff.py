"""TIFF: its pages, and its samples of any depth, by bits per sample and photometric tag.

Pillow decides by its own modes: it inverts no 16-bit image whose 0 is white, takes signed samples
for unsigned ones, keeps 8 of 16 bits of a colour, and knows few layouts. But it unpacks every
compression. So a file is described to it anew, as an 8-bit grey image of the same rows of bytes,
and those bytes are read here. Tags: TIFF Revision 6.0 (Adobe, 1992).
"""

import mmap
import struct
from collections.abc import Container, Iterator
from itertools import islice

import numpy as np
import numpy.typing as npt
from PIL import Image

from tfcnn.decode import limits, pillow
from tfcnn.decode.kinds import RAW
from tfcnn.decode.samples import FULL, SCALED, Deep, NotReadError, Samples, by_blocks, upright

Tags = dict[int, tuple[int, ...]]
Content = bytes | mmap.mmap
Bytes = npt.NDArray[np.uint8]
SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 254, 256, 257, 258, 259, 262
FILL_ORDER, STRIPS, ORIENTATION, CHANNELS = 266, 273, 274, 277
STRIP_ROWS, STRIP_BYTES, PLANAR, PREDICTOR = 278, 279, 284, 317
TILE_WIDTH, TILE_HEIGHT, TILES, TILE_BYTES = 322, 323, 324, 325
SUB_IMAGES, EXTRA, FORMAT = 330, 338, 339
ORIENTATIONS = range(1, 9)
DEPTH = 32997  # slices of a volume
DNG_VERSION, SENSOR = 50706, 32803  # the second: a photometry, of a colour filter array
REDUCED, MASK = 1, 4  # bits of SUBFILE: a thumbnail, and what is to be seen of another image
# all that pixels depend on: sizes and places, colour map, JPEG tables, subsampling
NEEDED = {
    *range(254, 270),
    *range(273, 280),
    284,
    292,
    293,
    *range(317, 326),
    332,
    338,
    339,
    347,
    *range(512, 533),
}
INTEGERS = {1: "B", 3: "H", 4: "I", 8: "h", 9: "i", 13: "I", 16: "Q", 18: "Q"}
# bytes of a value of each type
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8,
         17: 8, 18: 8}  # fmt: skip
# the last two are wrong, and read all the same
STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"II\0*", b"MM*\0")
READ = {*NEEDED, SUB_IMAGES, DEPTH, DNG_VERSION}
# a broken file may claim any number: of entries in all directories, and of values in one
MOST_ENTRIES = MOST_VALUES = 2**20
CHANNEL_BYTES = 7  # of memory at its peak, for each sample of up to 16 bits
UNPACKED, PACKBITS = 1, 32773  # values of COMPRESSION
BYTEWISE = {1, 5, 8, 32773, 32946, 34925, 50000}  # compressions of bytes, whatever they mean
UNSIGNED, SIGNED, FLOATING, UNDEFINED = 1, 2, 3, 4  # values of FORMAT
WHITE_IS_0, RGB, CMYK = 0, 2, 5  # values of PHOTOMETRIC
COLOURS = {WHITE_IS_0: 1, 1: 1, RGB: 3, CMYK: 4}  # how many samples of a pixel are its colour
PHOTOMETRIES = {0: "grey", 1: "grey", 2: "RGB", 3: "a palette", CMYK: "CMYK", 6: "YCbCr", 8: "Lab"}
PREMULTIPLIED, ALPHA = 1, 2  # values of EXTRA


def first_tags(content: Content) -> Tags:
    """Return the first page's tags of whole numbers, without those that lie outside the file."""
    return next(_directories(content), {})


def exif_orientation(image: Image.Image) -> int:
    """Return the orientation in an image's EXIF data, 1 to 8; 1 where they do not say it.

    EXIF data are a TIFF file without pixels. Pillow's reader gives up at the first broken entry,
    but it knows other places where programs write the orientation.
    """
    data = image.info.get("exif")
    tags = first_tags(data.removeprefix(b"Exif\0\0")) if isinstance(data, bytes) else {}
    value: object = tags.get(ORIENTATION, (0,))[0]
    if value not in ORIENTATIONS:
        try:
            value = image.getexif().get(ORIENTATION)
        except Exception:  # metadata never make an image unreadable
            return 1
    return value if isinstance(value, int) and value in ORIENTATIONS else 1


def orientation(content: bytes) -> int:
    """Return the orientation that the first page's own tag says, 1 where there is none."""
    return first_tags(content).get(ORIENTATION, (1,))[0]


def pages(content: bytes) -> int:
    """Return how many full images a file holds, without thumbnails and masks."""
    kinds = [tags.get(SUBFILE, (0,))[0] for tags in _directories(content, {SUBFILE})]
    return sum(not kind & (REDUCED | MASK) for kind in kinds)


def size(content: Content) -> tuple[int, int] | None:
    """Return `(height, width)` of the first page, upright, or None where it is not said."""
    tags = first_tags(content)
    if WIDTH not in tags or HEIGHT not in tags:
        return None
    height, width = tags[HEIGHT][0], tags[WIDTH][0]
    return (width, height) if tags.get(ORIENTATION, (1,))[0] in (5, 6, 7, 8) else (height, width)


def unread(content: bytes) -> int:
    """Return how many channels of the first page are neither colour nor alpha."""
    return first_tags(content).get(EXTRA, ()).count(0)


def deep(content: bytes, *, any_depth: bool = False) -> Deep | None:
    """Return the samples of the first page, or None where Pillow knows them: 8 bits at most.

    Args:
        content: the file.
        any_depth: read samples of 8 bits and fewer too, after Pillow has refused them.

    Raises:
        NotReadError: if its layout is not read, or the file is a camera's raw file.
    """
    tags = first_tags(content)
    _refuse_previews(tags, content)
    _refuse_tiles(tags)
    if tags.get(DEPTH, (1,))[0] > 1:
        raise NotReadError(f"a TIFF volume of {tags[DEPTH][0]:,} slices", "saving a slice each")
    if not any_depth and not is_deep(content):
        return None
    bits, formats = tags.get(BITS, (1,)), set(tags.get(FORMAT, (1,)))
    _refuse_unknown(tags, bits, formats)
    channels, photometry = tags.get(CHANNELS, (1,))[0], tags.get(PHOTOMETRIC, (0,))[0]
    height, width, extra = tags[HEIGHT][0], tags[WIDTH][0], tags.get(EXTRA, ())
    sample_bytes = CHANNEL_BYTES * max(bits[0], 16) / 16
    limits.claim((height, width), channels * sample_bytes, len(content))
    planes = _planes(content, tags, bits[0])

    def compute(rows: slice) -> Samples:
        values = [_values(plane[rows], tags, content[:2] == b"II") for plane in planes]
        return _shaded(_scaled(np.concatenate(values, axis=2), bits[0]), photometry, extra)

    row_values = width * channels * (bits[0] if bits[0] % 8 else 1)
    samples = by_blocks(height, row_values, compute)
    unread = channels - samples.shape[2] - (photometry == CMYK)
    return Deep(upright(samples, orientation(content)), unread)


def is_deep(content: bytes) -> bool:
    """Say whether the first page holds more than 8 bits, or numbers that have a sign."""
    tags = first_tags(content)
    return max(tags.get(BITS, (1,))) > 8 or not set(tags.get(FORMAT, (1,))) <= {
        UNSIGNED,
        UNDEFINED,
    }


def is_misread(content: bytes) -> bool:
    """Say whether Pillow gives wrong pixels of 8 bits, or none, of a layout that is read here.

    It takes alpha and other channels in planes of their own for those of each pixel, and
    PackBits' differences, which few programs write, for values.
    """
    tags = first_tags(content)
    colours = COLOURS.get(tags.get(PHOTOMETRIC, (0,))[0])
    others = colours is not None and tags.get(CHANNELS, (1,))[0] > colours
    differs = tags.get(PREDICTOR) == (2,) and tags.get(COMPRESSION) == (PACKBITS,)
    return differs or (others and tags.get(PLANAR) == (2,))


def without_metadata(content: bytes) -> bytes:
    """Return the first page with those tags only that its pixels depend on.

    Where a tag points out of the file, Pillow goes on reading in the wrong place.
    """
    order, place, count, length = _layout(content)
    try:
        (at,) = struct.unpack_from(order + place, content, 8 if length == 20 else 4)
        (entries,) = struct.unpack_from(order + count, content, at)
    except struct.error:
        return content  # whoever decodes it will say so
    at += struct.calcsize(count)
    places = range(at, min(at + min(entries, MOST_ENTRIES) * length, len(content) - length), length)
    # the last of several of one tag is the one that Pillow takes
    kept = {
        content[entry : entry + 2]: content[entry : entry + length]
        for entry in places
        if _is_needed(content, order, place, entry)
    }
    end, whole = len(content) + len(content) % 2, memoryview(content)
    link = 8 if length == 20 else 4
    return b"".join(
        [
            whole[:link],
            struct.pack(order + place, end),
            whole[link + struct.calcsize(f"={place}") :],
            bytes(end - len(content)),
            struct.pack(order + count, len(kept)),
            *kept.values(),
            bytes(8),
        ]
    )


def _refuse_previews(tags: Tags, content: bytes) -> None:
    """Refuse files whose first image is a small preview of another, which is not read."""
    is_reduced = tags.get(SUBFILE, (0,))[0] & REDUCED
    if {DNG_VERSION} & set(tags) or tags.get(PHOTOMETRIC) == (SENSOR,):
        raise NotReadError(RAW.name, RAW.hint)
    if is_reduced and SUB_IMAGES in tags:
        raise NotReadError(RAW.name, RAW.hint)  # Nikon, Sony
    if is_reduced and len(list(islice(_directories(content), 2))) > 1:
        raise NotReadError("a TIFF whose first image is a thumbnail", "saving its image alone")


def _refuse_tiles(tags: Tags) -> None:
    """Refuse an image whose tiles are too large, for each is unpacked whole."""
    height, width = (
        -(-tags.get(side, (0,))[0] // each) * each
        for side, tile in ((HEIGHT, TILE_HEIGHT), (WIDTH, TILE_WIDTH))
        for each in (max(1, tags.get(tile, (1,))[0]),)
    )
    limits.refuse((height, width), tags.get(CHANNELS, (1,))[0], 0)


def _refuse_unknown(tags: Tags, bits: tuple[int, ...], formats: set[int]) -> None:
    channels, compression = tags.get(CHANNELS, (1,))[0], tags.get(COMPRESSION, (1,))[0]
    photometry = tags.get(PHOTOMETRIC, (0,))[0]
    if formats == {FLOATING}:
        raise NotReadError("floating-point pixels, whose range is not known", SCALED)
    if len(formats) > 1 or not formats <= {UNSIGNED, SIGNED, UNDEFINED}:
        raise NotReadError("samples that are no whole numbers", SCALED)
    if len(set(bits)) > 1 or not (bits[0] <= 16 or bits[0] == 32):
        raise NotReadError(f"samples of {', '.join(map(str, bits))} bits", SCALED)
    if photometry not in COLOURS or channels < COLOURS[photometry]:
        name = PHOTOMETRIES.get(photometry, f"photometry {photometry}")
        raise NotReadError(f"{bits[0]}-bit samples of {name} with {channels} channels")
    if compression not in BYTEWISE:
        raise NotReadError(f"{bits[0]}-bit samples under TIFF compression {compression}")


def _layout(content: Content) -> tuple[str, str, str, int]:
    """Return byte order, letters of a place and of a count, and the length of an entry."""
    order = "<" if content[:2] == b"II" else ">"
    return (order, "Q", "Q", 20) if b"+" in content[2:4] else (order, "I", "H", 12)


def _is_needed(content: bytes, order: str, place: str, at: int) -> bool:
    """Say whether pixels depend on an entry of a directory, and its data lie in the file."""
    tag, kind, count = struct.unpack_from(f"{order}HH{place}", content, at)
    size, room = count * SIZES.get(kind, len(content)), struct.calcsize(f"={place}")
    if count > MOST_VALUES:
        return False
    if tag not in NEEDED or size <= room:
        return tag in NEEDED
    (start,) = struct.unpack_from(order + place, content, at + 4 + room)
    return bool(start + size <= len(content))


def _directories(content: Content, wanted: Container[int] = READ) -> Iterator[Tags]:
    """Yield the wanted tags of whole numbers of each page."""
    order, place, count, length = _layout(content)
    if content[:4] not in STARTS:
        return
    try:
        (at,) = struct.unpack_from(order + place, content, 8 if length == 20 else 4)
        visited, left = set(), MOST_ENTRIES
        while at and at not in visited:
            visited.add(at)
            (entries,) = struct.unpack_from(order + count, content, at)
            left -= entries
            if left < 0:
                return
            at += struct.calcsize(count)
            yield _tags(content, range(at, at + entries * length, length), wanted)
            (at,) = struct.unpack_from(order + place, content, at + entries * length)
    except struct.error:
        return  # cut short: whoever decodes it will say so


def _tags(content: Content, places: range, wanted: Container[int]) -> Tags:
    """Return the wanted tags of a directory, as long as they hold no more values than is sane."""
    order, place, _, _ = _layout(content)
    tags: Tags = {}
    left = MOST_VALUES
    for at in places:
        tag, kind, count = struct.unpack_from(f"{order}HH{place}", content, at)
        if tag in wanted and kind in INTEGERS and count <= left:
            left -= count
            tags[tag] = _entry(content, order, place, at)
    return {tag: values for tag, values in tags.items() if values}


def _entry(content: Content, order: str, place: str, at: int) -> tuple[int, ...]:
    """Return the values of an entry; none if they lie outside the file."""
    _, kind, count = struct.unpack_from(f"{order}HH{place}", content, at)
    letter = INTEGERS[kind]
    at += struct.calcsize(f"={place}") + 4
    if count * struct.calcsize(f"={letter}") > struct.calcsize(f"={place}"):
        (at,) = struct.unpack_from(order + place, content, at)
    try:
        return struct.unpack_from(f"{order}{count}{letter}", content, at)
    except struct.error:
        return ()


def _planes(content: bytes, tags: Tags, bits: int) -> list[Bytes]:
    """Return the bytes of each row, `(height, bytes)`, of all channels or of each by itself."""
    channels, key = tags.get(CHANNELS, (1,))[0], TILES if TILES in tags else STRIPS
    planes = channels if tags.get(PLANAR) == (2,) else 1
    count = len(tags[key]) // planes
    parts = [slice(plane * count, (plane + 1) * count) for plane in range(planes)]
    return [_rows(content, tags, part, channels // planes * bits) for part in parts]


def _values(rows: Bytes, tags: Tags, little: bool) -> npt.NDArray[np.integer]:
    """Return the samples of rows of bytes as they are written, `(rows, width, channels)`."""
    channels, width = tags.get(CHANNELS, (1,))[0], tags[WIDTH][0]
    together = 1 if tags.get(PLANAR) == (2,) else channels
    signed = set(tags.get(FORMAT, (1,))) == {SIGNED}
    values = _unpacked(rows, tags.get(BITS, (1,))[0], width * together, signed, little)
    values = values.reshape(len(rows), width, together)
    if tags.get(PREDICTOR) == (2,) and tags.get(COMPRESSION, (1,)) != (UNPACKED,):
        values = _undone(values, tags[TILE_WIDTH][0] if TILES in tags else width)
    return values


def _rows(content: bytes, tags: Tags, part: slice, pixel_bits: int) -> Bytes:
    """Return the bytes of each row, `(height, bytes)`, of some of the strips or tiles."""
    kept = {tag: tags[tag] for tag in (HEIGHT, COMPRESSION, FILL_ORDER, STRIP_ROWS) if tag in tags}
    kept |= {
        tag: tags[tag][part] for tag in (STRIPS, STRIP_BYTES, TILES, TILE_BYTES) if tag in tags
    }
    kept |= {WIDTH: ((tags[WIDTH][0] * pixel_bits + 7) // 8,), BITS: (8,), PHOTOMETRIC: (1,)}
    if TILES in tags:
        kept |= {
            TILE_WIDTH: (tags[TILE_WIDTH][0] * pixel_bits // 8,),
            TILE_HEIGHT: tags[TILE_HEIGHT],
        }
    return pillow.values(_described(content, kept), "TIFF")


def _unpacked(
    rows: Bytes, bits: int, count: int, signed: bool, little: bool
) -> npt.NDArray[np.integer]:
    """Return `count` samples of each row of bytes."""
    if bits % 8 == 0:
        kind = np.dtype(f"{'<' if little else '>'}{'i' if signed else 'u'}{bits // 8}")
        return rows.view(kind)[:, :count].astype(kind.newbyteorder("="))
    each = np.unpackbits(rows, axis=1, count=count * bits).reshape(len(rows), count, bits)
    values: npt.NDArray[np.int64] = (each.astype(np.int64) << np.arange(bits)[::-1]).sum(axis=2)
    return values


def _undone(values: npt.NDArray[np.integer], tile_width: int) -> npt.NDArray[np.integer]:
    """Sum up what was written as the difference from the sample to the left."""
    for left in range(0, values.shape[1], tile_width):
        tile = values[:, left : left + tile_width]
        np.cumsum(tile, axis=1, dtype=values.dtype, out=tile)
    return values


def _scaled(values: npt.NDArray[np.integer], bits: int) -> Samples:
    """Return values in [0, 65535]."""
    if values.min(initial=0) < 0:
        raise NotReadError("pixels below 0, so that what is black is not known", SCALED)
    if values.max(initial=0) > FULL:
        raise NotReadError(f"pixels outside the 16-bit range 0..{FULL}", SCALED)
    if bits < 16:
        most = 2**bits - 1
        values = (values.astype(np.int64) * FULL * 2 + most) // (2 * most)  # rounded
    return values.astype(np.uint16)


def _shaded(values: Samples, photometry: int, extra: tuple[int, ...]) -> Samples:
    """Return grey or RGB with 0 for black, and alpha if there is any."""
    colour, others = np.split(values, [COLOURS[photometry]], axis=2)
    has_alpha = extra[:1] in ((PREMULTIPLIED,), (ALPHA,)) or (photometry == RGB and not extra)
    alpha = others[..., :1] if has_alpha else others[..., :0]
    if extra[:1] == (PREMULTIPLIED,):
        whole = colour.astype(np.float64) * FULL / np.maximum(alpha, 1)
        colour = np.round(np.minimum(whole, FULL)).astype(np.uint16)
    if photometry == WHITE_IS_0:
        colour = FULL - colour
    if photometry == CMYK:
        ink = FULL - colour.astype(np.float64)
        colour = np.round(ink[..., :3] * ink[..., 3:] / FULL).astype(np.uint16)
    return np.concatenate([colour, alpha], axis=2)


def _described(content: bytes, tags: Tags) -> bytes:
    """Return a file with the data of another, described by these tags."""
    order = "<" if content[:2] == b"II" else ">"
    at = len(content) + len(content) % 2
    after = at + 2 + 12 * len(tags) + 4
    entries, arrays = b"", b""
    for tag, values in sorted(tags.items()):
        data = struct.pack(f"{order}{len(values)}I", *values)
        if len(values) > 1:
            arrays, data = arrays + data, struct.pack(f"{order}I", after + len(arrays))
        entries += struct.pack(f"{order}HHI", tag, 4, len(values)) + data
    head = content[:2] + struct.pack(f"{order}HI", 42, at)
    directory = struct.pack(f"{order}H", len(tags)) + entries + bytes(4)
    padding = bytes(at - len(content))
    return b"".join([head, memoryview(content)[8:], padding, directory, arrays])
