"""How much work an image file may make: what asks for more than any honest file is cut and named.

A small file can ask for hours of work: a JPEG is drawn again with each of its scans, and a file of
millions of empty parts costs a step, and memory, for each. Pillow reads through `Watched`, which
ends such work between two reads. What a library reads at once is decoded by `apart`, or is a TIFF,
which its pixels bound.
"""

import re
import time
from typing import Any, BinaryIO

from tfcnn.decode.samples import NotReadError

MOST_SECONDS = 60.0  # of a processor, for the pixels of one file
MOST_READS = 1 << 22  # of one file by Pillow; a large animation of 100 MB needs a fifth
MOST_PARTS = 1 << 20  # segments or chunks of one file, where they are gone through here
MOST_SCANS = 100  # of a JPEG, as libtiff allows; programs write up to a dozen
PIECE_BYTES = 4096  # smaller reads are of headers
# of a JPEG (ITU-T T.81, B.1.1): what begins a scan; any marker, where data have FF00 and restarts
SCAN = b"\xff\xda"
MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
END, WITHOUT_LENGTH = 0xD9, (0x01, 0xD8)
LONG, HINT = "an image that is made to take long", "saving it anew"


class Watched:
    """An open file that gives up when it is read too often, or for too long.

    Args:
        file: that is read.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell  # at once, for they are called often
        self._left = MOST_READS
        self._end = time.thread_time() + MOST_SECONDS

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def read(self, size: int = -1) -> bytes:
        """Return what the file's own `read` does.

        Raises:
            NotReadError: if the file has made too much work.
        """
        self._left -= 1
        if self._left < 0:
            raise _too_much(f"over {MOST_READS:,} reads")
        if not 0 <= size < PIECE_BYTES and time.thread_time() > self._end:
            raise _too_much(f"over {MOST_SECONDS:g} s to decode")
        return self._file.read(size)


class Parts:
    """Counts the parts of a file that are gone through."""

    def __init__(self) -> None:
        self._left = MOST_PARTS

    def count(self) -> None:
        """Count one more.

        Raises:
            NotReadError: if there are too many.
        """
        self._left -= 1
        if self._left < 0:
            raise _too_much(f"over {MOST_PARTS:,} parts")


def refuse_many_scans(content: bytes) -> None:
    """Refuse a JPEG that is drawn over and over.

    Raises:
        NotReadError: if it has more than `MOST_SCANS`.
    """
    if content.count(SCAN) <= MOST_SCANS:
        return  # nearly always; a video behind a telephone's picture has some by chance
    scans, at, parts = 0, 2, Parts()
    while found := MARKER.search(content, at):
        parts.count()
        at, code = found.end(), content[found.end() - 1]
        if code == END:
            return
        if code not in WITHOUT_LENGTH:
            at += int.from_bytes(content[at : at + 2], "big")
        scans += code == SCAN[1]
        if scans > MOST_SCANS:
            raise _too_much(f"over {MOST_SCANS} scans")


def _too_much(what: str) -> NotReadError:
    return NotReadError(f"{LONG}: {what}", HINT)
