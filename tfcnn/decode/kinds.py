"""The kind of a file by its first bytes, because its name may be wrong."""

import struct
from dataclasses import dataclass

HEAD_BYTES = 4096  # enough of a file for `kind_of`

AGAIN = "fetching it again"
AS_PNG = "saving it as PNG"
CONVERTED = "converting it to 16-bit PNG"
UNPACKED = "unpacking it"


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        name: what one calls it, with its article.
        hint: what to do where an image was expected; follows the word "try".
        pillow: the name of Pillow's reader where we read this kind, else "".
        is_picture: whether it holds an image, also one that we cannot read.
    """

    name: str
    hint: str
    pillow: str = ""
    is_picture: bool = False


def _read(pillow: str, name: str) -> Kind:
    article = "an" if name == "AVIF" else "a"
    return Kind(f"{article} {name} image", f"{AGAIN}, or saving it anew", pillow, True)


def _picture(name: str, hint: str = AS_PNG) -> Kind:
    return Kind(name, hint, "", True)


EMPTY = Kind("an empty file (0 bytes)", AGAIN)
ZEROS = Kind("a file of zero bytes only", AGAIN)
TEXT = Kind("a text file", f"removing it, or {AGAIN}")
LFS = Kind("a Git LFS pointer, not the image itself", "`git lfs pull` in that folder")
ANNEX = Kind("a git-annex pointer, not the image itself", "`git annex get` in that folder")
HTML = Kind("a web page (HTML)", "fetching the image again: its address gave a page")
SVG = _picture("an SVG drawing")
XML = Kind("an XML file", f"removing it, or {AGAIN}")
JSON = Kind("a JSON file", f"removing it, or {AGAIN}")
BMP, PNM = _read("BMP", "BMP"), _read("PPM", "PNM")
ICON = _picture("an icon (ICO)")
AVIF = _read("AVIF", "AVIF")
HEIF = Kind("a HEIC image", "pip install 'tfcnn[heif]', or saving it as JPEG", "HEIF", True)
RAW = _picture("a camera's raw file", "developing it to 16-bit TIFF or PNG")
VIDEO = Kind("a video", "saving its frames as PNG")
DICOM = _picture("a DICOM file", f"{CONVERTED}, as `dcm2pnm +on2` of DCMTK does")
NIFTI = _picture("a NIfTI volume", "saving its slices as 16-bit PNG, with nibabel for one")
VOLUME = "saving its slices as 16-bit PNG"
MICROSCOPE = f"{CONVERTED} or TIFF, as Fiji does with Bio-Formats"

# at the start of a file; the first that fits
STARTS: tuple[tuple[bytes, Kind], ...] = (
    (b"\x89PNG\r\n\x1a\n", _read("PNG", "PNG")),
    (b"\xff\xd8\xff", _read("JPEG", "JPEG")),
    (b"GIF87a", _read("GIF", "GIF")),
    (b"GIF89a", _read("GIF", "GIF")),
    (b"II*\0\x10\0\0\0CR", RAW),  # Canon's CR2
    (b"II*\0", _read("TIFF", "TIFF")),
    (b"MM\0*", _read("TIFF", "TIFF")),
    (b"II+\0", _read("TIFF", "TIFF")),  # BigTIFF
    (b"MM\0+", _read("TIFF", "TIFF")),
    (b"\0\0\0\x0cjP  \r\n\x87\n", _read("JPEG2000", "JPEG 2000")),
    (b"\xff\x4f\xff\x51", _read("JPEG2000", "JPEG 2000")),
    (b"\0\0\0\x0cJXL \r\n\x87\n", _picture("a JPEG XL image")),
    (b"\xff\x0a", _picture("a JPEG XL image")),
    (b"II\xbc\1", _picture("a JPEG XR image")),
    (b"8BPS", _picture("a Photoshop file (PSD)")),
    (b"gimp xcf", _picture("a GIMP file (XCF)")),
    (b"%!PS", _picture("a PostScript drawing (EPS)")),
    (b"\xc5\xd0\xd3\xc6", _picture("a PostScript drawing (EPS)")),
    (b"v/1\x01", _picture("an OpenEXR image", CONVERTED)),
    (b"#?RADIANCE", _picture("a Radiance HDR image", CONVERTED)),
    (b"P7\nWIDTH", _picture("a PAM image")),
    (b"qoif", _picture("a QOI image")),
    (b"DDS ", _picture("a DDS texture")),
    (b"SIMPLE  =", _picture("a FITS image", CONVERTED)),
    (b"AT&TFORM", _picture("a DjVu document")),
    (b"\x01\xda\0", _picture("an SGI image")),
    (b"\x01\xda\x01", _picture("an SGI image")),
    (b"\x0a\x05\x01", _picture("a PCX image")),
    (b"icns", _picture("an icon (ICNS)")),
    (b"FUJIFILMCCD-RAW", RAW),
    (b"IIRO", RAW),  # Olympus
    (b"IIRS", RAW),
    (b"MMOR", RAW),
    (b"IIU\0", RAW),  # Panasonic
    (b"FOVb", RAW),  # Sigma
    (b"\0MRM", RAW),  # Minolta
    (b"NRRD000", _picture("an NRRD volume", VOLUME)),
    (b"ObjectType = Image", _picture("a MetaImage volume", VOLUME)),
    (b"ZISRAWFILE", _picture("a Zeiss CZI file", MICROSCOPE)),
    (b"\xda\xce\xbe\x0a", _picture("a Nikon ND2 file", MICROSCOPE)),
    (b"\x93NUMPY", Kind("a NumPy array", AS_PNG)),
    (b"\x89HDF\r\n\x1a\n", Kind("an HDF5 file", "saving its images as PNG")),
    (b"%PDF", Kind("a PDF document", "saving its pages as PNG")),
    (b"PK\x03\x04", Kind("a zip archive", UNPACKED)),
    (b"PK\x05\x06", Kind("an empty zip archive", AGAIN)),
    (b"\x1f\x8b", Kind("a file packed by gzip", UNPACKED)),
    (b"BZh", Kind("a file packed by bzip2", UNPACKED)),
    (b"\xfd7zXZ\0", Kind("a file packed by xz", UNPACKED)),
    (b"\x28\xb5\x2f\xfd", Kind("a file packed by zstd", UNPACKED)),
    (b"7z\xbc\xaf\x27\x1c", Kind("a 7z archive", UNPACKED)),
    (b"Rar!\x1a\x07", Kind("a RAR archive", UNPACKED)),
    (b"\x1aE\xdf\xa3", VIDEO),  # Matroska, WebM
    (b"\0\0\x01\xba", VIDEO),  # MPEG
    (b"\0\0\x01\xb3", VIDEO),
    (b"FLV\x01", VIDEO),
    (b"\0\x05\x16\x07", Kind("a macOS side file (AppleDouble)", "removing it")),
    (b"\xd0\xcf\x11\xe0", Kind("an OLE file (Thumbs.db or an old Office document)", "removing it")),
    (b"SQLite format 3", Kind("a database (SQLite)", "removing it")),
    (b"version https://git-lfs.github.com/spec", LFS),
    (b"/annex/objects/", ANNEX),
)
# the kind of a RIFF file, and of a file of ISO boxes, by its brand
RIFF = {b"WEBP": _read("WEBP", "WebP"), b"AVI ": VIDEO}
BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), AVIF),
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm"), HEIF),
    b"crx ": RAW,  # Canon's CR3
    b"jp2 ": _read("JPEG2000", "JPEG 2000"),
}
BMP_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}  # lengths in bytes


def kind_of(head: bytes) -> Kind | None:
    """Return what a file is by its first `HEAD_BYTES` bytes, or None where it is unknown."""
    if not head:
        return EMPTY
    if not any(head):
        return ZEROS
    for start, kind in STARTS:
        if head.startswith(start):
            return kind
    return _medical(head) or _weakly_marked(head) or _boxed(head) or _text(head)


def _medical(head: bytes) -> Kind | None:
    if head[128:132] == b"DICM" or head[:8] in (b"\x08\0\x05\0\x0a\0\0\0", b"\x08\0\0\0\4\0\0\0"):
        return DICOM  # the second: files of before 1993 have no preamble
    if head[344:348] in (b"n+1\0", b"ni1\0") or head[4:7] in (b"n+2", b"ni2"):
        return NIFTI
    return None


def _weakly_marked(head: bytes) -> Kind | None:
    """Know formats whose mark is so short that more must agree."""
    if head[:2] == b"BM" and len(head) >= 18:
        return BMP if struct.unpack_from("<I", head, 14)[0] in BMP_HEADERS else None
    if head[:1] == b"P" and head[1:2] in b"123456f" and head[2:3].isspace():
        following = head[2:].lstrip()[:1]
        return PNM if following.isdigit() or following == b"#" else None
    if head[:4] == b"\0\0\1\0" and head[4:5] != b"\0" and head[5:6] == head[9:10] == b"\0":
        return ICON
    return Kind("a tar archive", UNPACKED) if head[257:262] == b"ustar" else None


def _boxed(head: bytes) -> Kind | None:
    if head[:4] == b"RIFF":
        return RIFF.get(head[8:12])
    if head[4:8] != b"ftyp":
        return VIDEO if head[4:8] in (b"moov", b"mdat", b"wide") else None
    end = min(struct.unpack_from(">I", head)[0], 256)
    brands = [head[8:12]] + [head[at : at + 4] for at in range(16, end, 4)]
    return next((BRANDS[brand] for brand in brands if brand in BRANDS), _of_brand(brands[0]))


def _of_brand(brand: bytes) -> Kind:
    return HEIF if brand in (b"mif1", b"msf1") else VIDEO


def _text(head: bytes) -> Kind | None:
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return TEXT  # UTF-16
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:  # a letter may be cut at the end
            return None
        text = head[: error.start].decode("utf-8-sig")
    if any(ord(letter) < 32 and letter not in "\t\n\r\f" for letter in text):
        return None
    text = text.lstrip().lower()
    if ".git/annex/objects/" in text:
        return ANNEX
    for mark, kind in (("<svg", SVG), ("<!doctype html", HTML), ("<html", HTML), ("<?xml", XML)):
        if text.startswith(mark):
            return SVG if kind is XML and "<svg" in text else kind
    if text.startswith(("{", "[")):
        return JSON
    return HTML if "<html" in text or "<body" in text else TEXT
