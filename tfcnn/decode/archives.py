"""Zip archives of strangers: what is in them, and each member's bytes, within bounds.

The list is read by ourselves, because `zipfile` gives up a whole archive for one member that is
wrong, and unpacks bzip2 and LZMA without a bound. Here such a member has a fault, which its reader
meets; an archive that is made to exhaust a machine is refused before anything of it is unpacked.

Reference:
    PKWARE, ".ZIP File Format Specification", version 6.3.10, sections 4.3 to 4.5.
"""

import bz2
import lzma
import re
import stat
import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple, Protocol

from tfcnn.base import files
from tfcnn.base.errors import InputError
from tfcnn.decode.kinds import HEAD_BYTES, kind_of

MAX_MEMBERS = 2_000_000
MAX_UNPACKED_BYTES = 256 << 30  # unpacked; ImageNet has 150 GB
# Deflate can shrink 1,032-fold, images that are worth storing hardly at all, masks some 50-fold.
MAX_RATIO = 200
SMALL_BYTES = 1 << 30  # below this no ratio is dangerous
PIECE_BYTES = 1 << 20
LZMA_MEMORY_BYTES = 80 << 20  # xz's highest preset has a dictionary of 64 MiB
LZMA_HEAD_BYTES = 9

NEWEST = 63  # version 6.3 of the format
STORED, DEFLATE, BZIP2, LZMA = 0, 8, 12, 14  # the methods that are read
UNKNOWN = {1: "Shrink", 6: "Implode", 9: "Deflate64", 93: "Zstandard", 95: "xz", 98: "PPMd"}
ENCRYPTED, UTF8 = 0x1, 0x800  # bits of the flags

END = struct.Struct("<4s4H2LH")
LOCATOR = struct.Struct("<4sLQL")
END_64 = struct.Struct("<4sQ2H2L4Q")
ENTRY = struct.Struct("<4s4B4H3L5H2L")
LOCAL = struct.Struct("<4s2B4H3L2H")
MAX_COMMENT = (1 << 16) - 1


class MemberError(Exception):
    """A member that cannot be read; the text says why."""


class Member(NamedTuple):
    """One file or folder of an archive, as its list describes it.

    Attributes:
        name: its path, with forward slashes; that of a folder ends in one.
        fault: why it must not be read, "" where it may.
        method: how it is packed.
        crc: CRC-32 of its content.
        packed_bytes: what it takes in the archive.
        size_bytes: what it says that its content has.
        offset: where its own header begins, in bytes.
    """

    name: str
    fault: str
    method: int
    crc: int
    packed_bytes: int
    size_bytes: int
    offset: int

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.name.endswith("/")


class _Unpacker(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Directory(NamedTuple):
    """Where the list of an archive is, and by how much all its offsets are too small."""

    start: int
    size_bytes: int
    shift: int


def members(archive: Path) -> list[Member]:
    """Return the members of a zip archive in the order of its list; none is unpacked.

    Raises:
        InputError: if the archive is missing, no regular file, truncated or damaged at its end;
            if it has too many members, or more than have room in it; if they take too much when
            they are unpacked, as it says.
    """
    try:
        with files.open_file(archive) as file:
            size = file.seek(0, 2)
            directory = _directory(file, size)
            members = []
            for member in _entries(file, directory):
                members.append(member)
                if LOCAL.size * len(members) > directory.start:  # each has a header before that
                    raise _bomb(archive, "members side by side", "members inside of each other")
                if len(members) > MAX_MEMBERS:
                    received = f"{len(members):,} or more"
                    raise _bomb(archive, f"at most {MAX_MEMBERS:,} members", received)
    except (struct.error, EOFError, ValueError) as error:
        raise _no_archive(archive, str(error)) from error
    except OSError as error:
        hint = "a file that can be read"
        raise InputError(archive, "a zip archive", error.strerror or str(error), hint) from error
    total, limit = sum(member.size_bytes for member in members), _limit(size)
    if total > limit:
        expected = f"at most {limit / 1e6:,.0f} MB when unpacked"
        raise _bomb(archive, expected, f"{total / 1e6:,.0f} MB")
    return _apart(members, directory.start)


def chunks(archive: Path, member: Member, piece_bytes: int = PIECE_BYTES) -> Iterator[bytes]:
    """Yield the content of a member in pieces, never more than it says that it has.

    Args:
        archive: where it is.
        member: from `members`.
        piece_bytes: the most that a piece may have.

    Raises:
        MemberError: if it has a fault or is damaged; perhaps after the last piece, where its
            length and CRC-32 are compared.
    """
    if member.fault:
        raise MemberError(member.fault)
    done = crc = 0
    try:
        with files.open_file(archive) as file:
            file.seek(member.offset)
            header = LOCAL.unpack(file.read(LOCAL.size))
            if header[0] != b"PK\3\4":
                raise MemberError("no header where the list says")
            name = file.read(header[-2])
            if name not in (member.name.encode(code, "replace") for code in ("utf-8", "cp437")):
                raise MemberError(f"another name in its own header: {name!r}")
            file.seek(header[-1], 1)  # extra fields
            for piece in _unpacked(file, member, piece_bytes):
                done += len(piece)
                if done > member.size_bytes:
                    raise MemberError(f"more than the {member.size_bytes:,} bytes that it says")
                crc = zlib.crc32(piece, crc)
                yield piece
    except (OSError, EOFError, struct.error, zlib.error, lzma.LZMAError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise MemberError(f"{type(error).__name__}: {reason}") from error
    if done != member.size_bytes:
        raise MemberError(f"{done:,} bytes, not the {member.size_bytes:,} that it says")
    if crc != member.crc:
        raise MemberError("Bad CRC-32")


def read(archive: Path, member: Member) -> bytes:
    """Return the content of a member; the caller sees to it that it says no size too large.

    Raises:
        MemberError: if it has a fault or is damaged.
    """
    content = BytesIO()
    for piece in chunks(archive, member):
        content.write(piece)
    return content.getvalue()


def head(archive: Path, member: Member) -> bytes:
    """Return the first `HEAD_BYTES` of a member, less or none where they cannot be read."""
    content = b""
    try:
        for piece in chunks(archive, member, HEAD_BYTES):
            content += piece
            if len(content) >= HEAD_BYTES:
                break
    except MemberError:
        pass  # whoever reads it whole will say so
    return content[:HEAD_BYTES]


def _limit(archive_bytes: int) -> int:
    return min(max(SMALL_BYTES, MAX_RATIO * archive_bytes), MAX_UNPACKED_BYTES)


def _directory(file: BinaryIO, size: int) -> _Directory:
    """Find the list of members, which is at the end, and so lost in a truncated archive."""
    start = max(0, size - MAX_COMMENT - END.size)
    file.seek(start)
    tail = file.read()
    place = tail.rfind(b"PK\5\6")
    if place < 0:
        raise EOFError("no list of members at its end")
    _, disk, _, _, _, list_bytes, offset, _ = END.unpack_from(tail, place)
    if disk not in (0, 0xFFFF):
        raise ValueError("one part of several")
    end = start + place
    if end >= LOCATOR.size + END_64.size:
        file.seek(end - LOCATOR.size - END_64.size)
        wide = END_64.unpack(file.read(END_64.size))
        if file.read(4) == b"PK\6\7" and wide[0] == b"PK\6\6":
            list_bytes, offset = wide[-2:]
            end -= LOCATOR.size + END_64.size
    shift = end - list_bytes - offset  # something may stand before the archive
    if shift < 0:
        raise EOFError("a list of members that begins elsewhere than it says")
    file.seek(0)
    if shift and file.read(4) == b"PK\3\4":  # its own list is cut off
        raise EOFError("the list of another archive that lies in it")
    return _Directory(offset + shift, list_bytes, shift)


def _entries(file: BinaryIO, directory: _Directory) -> Iterator[Member]:
    file.seek(directory.start)
    left = directory.size_bytes
    while left > 0:
        entry = ENTRY.unpack(file.read(ENTRY.size))
        if entry[0] != b"PK\1\2":
            raise ValueError("a damaged list of members")
        name, extra, comment = (file.read(length) for length in entry[12:15])
        left -= ENTRY.size + len(name) + len(extra) + len(comment)
        yield _member(entry, name, extra, directory.shift)


def _member(entry: tuple[int, ...], raw_name: bytes, extra: bytes, shift: int) -> Member:
    version, flags, method, crc = entry[3], entry[5], entry[6], entry[9]
    fault = ""
    try:
        name = raw_name.decode("utf-8" if flags & UTF8 else "cp437")
    except UnicodeDecodeError:
        name = raw_name.decode("utf-8", "backslashreplace")
        fault = "a name that is not in UTF-8, as the archive says it is"
    try:
        packed, size, offset = _wide([entry[10], entry[11], entry[18]], extra)
    except struct.error:
        packed, size, offset = entry[10], entry[11], entry[18]
        fault = "a damaged description"
    kind = stat.S_IFMT(entry[17] >> 16)  # Unix mode; 0 where the archive has none
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        fault = "a link or device"
    elif flags & ENCRYPTED:
        fault = "an encrypted file"
    elif version > NEWEST:
        fault = f"made for version {version / 10:.1f} of the zip format, which is not read"
    elif method not in (STORED, DEFLATE, BZIP2, LZMA):
        fault = f"packed by {UNKNOWN.get(method, f'method {method}')}, which is not read"
    fault = _name_fault(name) or fault
    return Member(name, fault, method, crc, packed, size, offset + shift)


def _wide(values: list[int], extra: bytes) -> list[int]:
    """Replace packed bytes, bytes and offset by those of 64 bits where they are too large."""
    wanted = [place for place in (1, 0, 2) if values[place] == 0xFFFFFFFF]
    while wanted and extra:
        kind, length = struct.unpack_from("<2H", extra)
        if kind == 1:
            numbers = struct.unpack_from(f"<{len(wanted)}Q", extra[4 : 4 + length])
            for place, value in zip(wanted, numbers, strict=True):
                values[place] = value
            break
        extra = extra[4 + length :]
    return values


def _name_fault(name: str) -> str:
    parts = re.split(r"[/\\]", name)
    if parts[0] == "" or re.match("[A-Za-z]:", name):
        return "an absolute path"
    if ".." in parts:
        return "a path with '..'"
    if re.search(r"[\x00-\x1f\x7f]", name):
        return "control characters in its name"
    if not PurePosixPath(name).parts and not name.endswith("/"):
        return "no name"
    return ""


def _apart(members: list[Member], end: int) -> list[Member]:
    """Give a fault to members whose bytes are others' too: so 42 kB could hold terabytes."""
    furthest = 0
    for place in sorted(range(len(members)), key=lambda place: members[place].offset):
        member = members[place]
        last = member.offset + LOCAL.size + member.packed_bytes
        if furthest <= member.offset and last <= end:
            furthest = last
        elif not member.fault:
            members[place] = member._replace(fault="it lies where another member does")
    return members


def _unpacked(file: BinaryIO, member: Member, piece_bytes: int) -> Iterator[bytes]:
    left = member.packed_bytes
    if member.method == STORED:
        while piece := file.read(min(left, piece_bytes)):
            left -= len(piece)
            yield piece
        return
    unpacker: _Unpacker = _Inflater()
    if member.method == BZIP2:
        unpacker = bz2.BZ2Decompressor()
    elif member.method == LZMA:
        unpacker = _lzma(file)
        left -= LZMA_HEAD_BYTES
    while not unpacker.eof:
        packed = b""
        if unpacker.needs_input:
            packed = file.read(max(0, min(left, piece_bytes)))
            left -= len(packed)
            if not packed:
                return
        if piece := unpacker.decompress(packed, piece_bytes):
            yield piece


class _Inflater:
    """Gives zlib the manners of bz2 and lzma."""

    def __init__(self) -> None:
        self._own = zlib.decompressobj(-zlib.MAX_WBITS)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._own.eof

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        piece = self._own.decompress(self._own.unconsumed_tail + data, max_length)
        self.needs_input = len(piece) < max_length and not self._own.unconsumed_tail
        return piece


def _lzma(file: BinaryIO) -> lzma.LZMADecompressor:
    """Read the head of an LZMA member: version, length of the properties, properties."""
    head = file.read(LZMA_HEAD_BYTES)
    if len(head) != LZMA_HEAD_BYTES or head[2:4] != b"\5\0":
        raise ValueError("other properties of LZMA than 5 bytes")
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=LZMA_MEMORY_BYTES)
    unpacker.decompress(head[4:] + b"\xff" * 8)  # of unknown size: a mark ends it
    return unpacker


def _bomb(archive: Path, expected: str, received: str) -> InputError:
    hint = "another archive; this one looks made to fill memory or disk"
    return InputError(archive, expected, received, hint)


def _no_archive(archive: Path, why: str) -> InputError:
    with files.open_file(archive) as file:
        start = file.read(HEAD_BYTES)
    kind = kind_of(start)
    received = f"something else{f': {kind.name}' if kind else ''}"
    if not start:
        received = "an empty file"
    elif start[:2] == b"PK":
        received = f"a truncated or damaged one ({why})"
    return InputError(archive, "a zip archive", received, "removing it and downloading again")
