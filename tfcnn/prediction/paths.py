"""The images behind the paths that a user gives, and the group that each of them belongs to."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath

from tfcnn.base import files, patterns
from tfcnn.base.errors import InputError
from tfcnn.datasets import LeftOut, in_words
from tfcnn.datasets.folder import image_files, member_images, owners
from tfcnn.decode import Member, UnreadableImageError, archives, claim_file, in_memory, read_file
from tfcnn.runs import Run

AT_ONCE = 20_000  # paths whose groups are held: of millions they would fill the memory


@dataclass(frozen=True, slots=True)
class Image:
    """One image to predict: its name, and the archive it lies in, if it does."""

    path: str
    archive: Path | None = None
    member: Member | None = None

    def read(self) -> bytes:
        """Return the file's bytes.

        Raises:
            UnreadableImageError: if it cannot be read, is too large, or its archive is broken or
                hostile there.
        """
        try:
            if self.archive and self.member:
                claim_file(self.member.size_bytes, self.path)
                with in_memory(self.path):
                    return archives.read(self.archive, self.member)
            return read_file(Path(self.path), self.path)
        except archives.MemberError as error:
            raise UnreadableImageError(self.path, str(error), "packing it anew") from error
        except OSError as error:
            raise UnreadableImageError(self.path, error.strerror or str(error)) from error


def expand(
    paths: Iterable[str | Path],
    note: Callable[[str], None] | None = None,
    ignore: Sequence[str] = (),
) -> list[Image]:
    """List the images of files, folders (sorted, with their sub-folders) and zip archives.

    Args:
        paths: what was given.
        note: hears, for each folder and archive, how many files in it are no images, by kind.
        ignore: as `data.ignore`, in folders and archives.

    Raises:
        InputError: at once, if a path is none or does not exist, is no file or folder (a named
            pipe, a device), or a folder or archive holds no image, or an archive is a bomb.
    """
    images: list[Image] = []
    for root in paths:
        if not isinstance(root, str | Path):
            received = type(root).__name__
            raise InputError("paths", "paths of files or folders", received, "Predictor.probs")
        path = Path(root)
        here, left_out = _images_in(path, ignore)
        total = len(here) + len(left_out)
        passed_over = f"{len(left_out):,} of {total:,} files: {in_words(left_out)}"
        if not here:
            received = f"none; passed over {passed_over}" if left_out else "none"
            raise InputError(path, "images", received, "a folder or zip that holds image files")
        if left_out and note:
            note(f"{path}: passed over {passed_over}")
        images += here
    return images


def _images_in(path: Path, ignore: Sequence[str]) -> tuple[list[Image], list[LeftOut]]:
    if files.what(path) == files.FOLDER:
        paths, left_out = image_files(path, ignore)
        return [Image(str(file)) for file in paths], left_out
    files.require(path, "an image, folder or zip")
    if path.suffix.lower() == ".zip":
        return _members_of(path, ignore)
    return [Image(str(path))], []


def _members_of(path: Path, ignore: Sequence[str]) -> tuple[list[Image], list[LeftOut]]:
    """List the images of an archive, and its other files, as those of a folder."""
    members: dict[str, list[Member]] = defaultdict(list)
    for member in archives.members(path):
        if not member.is_folder:
            parts = PurePosixPath(member.name).parts  # so that ./a//b, ../a/b and a/b are one
            members["/".join(part for part in parts if part not in ("..", "/"))].append(member)
    names, left_out = member_images(
        members, lambda name: archives.head(path, members[name][0]), ignore
    )
    images = [
        Image(f"{path}/{member.name}", path, member)
        for name in names
        for member in _refuse_shared_names(members[name])
    ]
    return images, [one for one in left_out for _ in members[one.path]]


def _refuse_shared_names(members: list[Member]) -> list[Member]:
    """Give a fault to members that share a name, as nobody can tell which one is meant."""
    if len(members) == 1:
        return members
    fault = f"one of {len(members)} members of this name"
    return [one if one.fault else one._replace(fault=fault) for one in members]


def group_rule(run: Run) -> str:
    """Return what a run reads groups from, in words; "" where it knows none."""
    data = run.card["data"]
    if data.get("group_regex"):
        return f"the regex {data['group_regex']!r}"
    words = {"folder": "the folder inside a class folder", "folder-above": "the folder above it"}
    return words.get(data.get("group_from", "name"), "")


def groups_of(run: Run, roots: Iterable[str | Path], paths: Sequence[str]) -> dict[str, str]:
    """Return the group of each image by the rule of the run's own groups; "" for none.

    A run's regex is searched in the file's name; where it does not match there, in the name with
    the folder above it, and so on up to the folder or archive that was given. Where the run's
    groups were folders, the group is the folder inside, or above, a class folder; without a class
    folder on the way it is the first folder in what was given.

    Args:
        run: an opened run.
        roots: the files, folders and archives that a user gives.
        paths: of the images in them.

    Raises:
        InputError: if the run's regex is none, or is not done soon with these paths.
    """
    if not group_rule(run):
        return dict.fromkeys(paths, "")
    data, names = run.card["data"], {str(Path(root)) for root in roots}
    parts = {path: _below(path, names) for path in paths}
    if data.get("group_regex"):
        return _search(data["group_regex"], parts)
    is_above = data.get("group_from") == "folder-above"
    class_names = {name.casefold() for name in run.class_names}
    return {path: _folder(own[1:-1], is_above, class_names) for path, own in parts.items()}


def iterate_groups(run: Run, roots: Sequence[str | Path], images: Sequence[Image]) -> Iterator[str]:
    """Yield the group of each image, as `groups_of` does; little of it is held at once."""
    for start in range(0, len(images), AT_ONCE):
        paths = [image.path for image in images[start : start + AT_ONCE]]
        found = groups_of(run, roots, paths)
        yield from (found[path] for path in paths)


def _below(path: str, roots: set[str]) -> tuple[str, ...]:
    """Return the parts of a path from its root on; for a single file its folder and name."""
    whole = PurePath(path)
    base = next((one for one in whole.parents if str(one) in roots), None)
    if path in roots or base is None:
        return ("", *whole.parts[-2:]) if len(whole.parts) > 1 else ("", whole.name)
    return (base.name, *whole.relative_to(base).parts)


def _search(regex: str, images: dict[str, tuple[str, ...]]) -> dict[str, str]:
    """Return the group of each image, from the parts of its path; "" where the regex fits none."""
    groups = dict.fromkeys(images, "")
    for length in range(1, max(map(len, images.values()), default=0) + 1):
        rest = [path for path, parts in images.items() if not groups[path] and len(parts) >= length]
        ends = ["/".join(images[path][-length:]) for path in rest]
        matches = patterns.search(regex, ends, "the run's data.group_regex") if rest else []
        groups |= zip(rest, matches, strict=True)
    return groups


def _folder(folders: tuple[str, ...], is_above: bool, class_names: set[str]) -> str:
    place = next((i for i, name in enumerate(folders) if name.casefold() in class_names), None)
    if place is not None:
        folders = owners(folders[:place])[-1:] if is_above else folders[place + 1 :]
    return folders[0] if folders else ""
