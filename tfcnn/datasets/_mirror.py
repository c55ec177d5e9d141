"""What a user's `--from SOURCE` points at: a folder, a file, or an address of either."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import SplitResult, urlsplit, urlunsplit
from urllib.request import url2pathname

from tfcnn.base import files
from tfcnn.base.disk import disk_errors
from tfcnn.base.errors import InputError

__all__ = ["FROM_HINT", "local_path", "locate", "require_file"]

FROM_HINT = "--from FOLDER|ZIP|ADDRESS with a copy that can be reached"


def locate(
    source: str, file_names: tuple[str, ...], *, class_folders: tuple[str, ...] = ()
) -> Path | str:
    """Find the data that a user's `--from SOURCE` points at.

    Args:
        source: a folder, a file, or an http, https or file address of either.
        file_names: names the data set's file may have, the best first, such as `cell_images.zip`.
        class_folders: folders that unpacked data has side by side; empty: only files are taken.

    Returns:
        A path to the file; a path to the folder that holds all `class_folders`, which is `source`
        or up to two levels below it; or the address of the file, for `fetch`: an address that
        does not end in a name with the suffix of one of `file_names` is taken as a folder, in
        which the first of `file_names` is.

    Raises:
        InputError: if there is nothing at `source`, or none of what was looked for in it.
    """
    suffixes = {PurePosixPath(name).suffix for name in file_names}
    parts = _split(source)
    if parts.scheme in ("http", "https"):
        if PurePosixPath(parts.path).suffix.lower() in suffixes:
            return source
        return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{file_names[0]}"))
    path = local_path(source) if parts.scheme else Path(source).expanduser()
    wanted = " or ".join(file_names)
    if files.what(path) != files.FOLDER:
        require_file(path, f"{wanted}, or a folder with it")
        if path.suffix.lower() in suffixes:
            return path
        raise InputError(path, wanted, f"a file of type '{path.suffix}'", FROM_HINT)
    found = _search(path, file_names, class_folders)
    if found is None:
        unpacked = f" or folders {' and '.join(class_folders)}" if class_folders else ""
        raise InputError(path, f"{wanted}{unpacked} in this folder", "none", FROM_HINT)
    return found


def require_file(path: Path, expected: str) -> None:
    """Refuse what is no regular file, with the way to name another source.

    Raises:
        InputError: if it is none.
    """
    if found := files.what(path):
        received = "nothing there" if found == files.NOTHING else found
        raise InputError(path, expected, received, FROM_HINT)


def local_path(url: str) -> Path:
    """Return the path that a `file` address names."""
    return Path(url2pathname(urlsplit(url).path))


def _split(source: str) -> SplitResult:
    """Split an address; a path has no scheme."""
    try:
        parts = urlsplit(source if "://" in source else "")
        if parts.scheme in ("", "file") or (parts.scheme in ("http", "https") and parts.netloc):
            return parts
    except ValueError:  # such as an open bracket in the host
        pass
    raise InputError(source, "an http, https or file address", "another kind", FROM_HINT)


def _search(
    folder: Path, file_names: tuple[str, ...], class_folders: tuple[str, ...]
) -> Path | None:
    with disk_errors(folder):
        for name in file_names:
            if (folder / name).is_file():
                return folder / name
        for nested in _nested(folder) if class_folders else ():
            if all((nested / name).is_dir() for name in class_folders):
                return nested
    return None


def _nested(folder: Path) -> Iterator[Path]:
    """Yield a folder, its folders, and theirs: archives are often unpacked into their own name."""
    yield folder
    children = sorted(path for path in folder.iterdir() if path.is_dir())
    yield from children
    for child in children:
        yield from sorted(path for path in child.iterdir() if path.is_dir())
