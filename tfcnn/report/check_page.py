"""Write what `check` found as one HTML file: the gravest finding first, with its images."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from tfcnn import recipes
from tfcnn.base import atomic
from tfcnn.base.errors import InputError
from tfcnn.decode import in_memory, open_image
from tfcnn.display.thumbnail import data_uri
from tfcnn.manifest.audit import Audit
from tfcnn.manifest.findings import Finding
from tfcnn.report.page import environment

SUFFIX = ".html"
THUMB_PX = 96
MOST_CASES = 12  # of a finding, with pictures
MOST_IMAGES = 6  # of a case
MOST_PICTURES = 240  # in a page
MOST_LINES = 100  # of a finding, without pictures
MOST_LISTED = 50  # images that a list would leave out
ADJECTIVES = {"blocking": "would spoil a result", "warning": "may spoil a result"}


@dataclass(frozen=True)
class Picture:
    """One image of a case.

    Attributes:
        path: below the source's folder.
        label: its class; "" where it is left out.
        uri: a thumbnail; "" where it could not be read again.
    """

    path: str
    label: str
    uri: str


@dataclass(frozen=True)
class Case:
    """One case of a finding: what is said of it, and its images."""

    note: str
    pictures: tuple[Picture, ...]
    more: int = 0


def check_target(path: Path) -> Path:
    """Return where a page is to be written.

    Raises:
        InputError: if the name does not end in `.html`.
    """
    if path.suffix.lower() != SUFFIX:
        raise InputError("--output", "a file that ends in .html", str(path), "--output check.html")
    return path


def write(audit: Audit, target: Path) -> Path:
    """Write the page of an audit; its images are read once more.

    Raises:
        InputError: if the name does not end in `.html`.
    """
    atomic.write_text(check_target(target), render(audit))
    return target


def render(audit: Audit) -> str:
    """Return the page of an audit as HTML, the same text for the same files."""
    gallery = _Gallery(audit)
    findings = [
        {
            "finding": finding,
            "cases": gallery.cases(finding),
            "lines": finding.examples[:MOST_LINES],  # shown where there are no pictures
        }
        for finding in audit.findings
    ]
    source = audit.data.source if audit.data else audit.summary
    words = _words(audit, source)
    most = max(audit.counts.values(), default=0)
    return environment().get_template("check.html").render(
        name=audit.source.name if audit.source else source,
        audit=audit,
        headline=headline(audit),
        findings=findings,
        classes=[(name, count, count / most) for name, count in audit.counts.items()],
        ignore_csv=str(audit.ignore_csv or ""),
        listed=list(audit.unfit.items())[:MOST_LISTED],
        command=f"tfcnn check {words} --fix",
        train=f"tfcnn train {words}",
    )  # fmt: skip


def _words(audit: Audit, source: str) -> str:
    """Return the words of a command that name the same images: a folder needs its settings too."""
    words = [source]
    if audit.data and Path(source).exists():
        settings = audit.data.model_dump(exclude_defaults=True, exclude={"source"})
        for key, value in recipes.flat(settings, "data.").items():
            words += ["--set", recipes.assignment(key, value)]
    return shlex.join(words)


def headline(audit: Audit) -> tuple[str, str]:
    """Return how many findings are grave, and how grave they are."""
    for gravity, words in ADJECTIVES.items():
        count = sum(finding.gravity == gravity for finding in audit.findings)
        if count:
            return f"{count:,}", f"{'finding' if count == 1 else 'findings'} {words}"
    return "0", "findings would spoil a result"


class _Gallery:
    """Thumbnails of the images that findings name, each read once, and not too many."""

    def __init__(self, audit: Audit) -> None:
        self.source = audit.source
        self.background = audit.data.background if audit.data else "black"
        items = self.source.items if self.source else ()
        self.labels = {item.path: item.label for item in items}
        self.uris: dict[str, str] = {}

    def cases(self, finding: Finding) -> list[Case]:
        """Return the first cases of a finding, as far as they have images."""
        cases: list[Case] = []
        for example, paths in zip(finding.examples, finding.images, strict=bool(finding.images)):
            if len(cases) == MOST_CASES or len(self.uris) >= MOST_PICTURES:
                break
            note = example.removeprefix(paths[0]).lstrip(": ") if len(paths) == 1 else ""
            pictures = tuple(map(self._picture, paths[:MOST_IMAGES]))
            cases.append(Case(note, pictures, max(0, len(paths) - MOST_IMAGES)))
        return cases

    def _picture(self, path: str) -> Picture:
        if path not in self.uris:
            self.uris[path] = self._uri(path)
        return Picture(path, self.labels.get(path, ""), self.uris[path])

    def _uri(self, path: str) -> str:
        if self.source is None:
            return ""
        try:
            with in_memory(path):
                opened = open_image(self.source.read(path), path)
                return data_uri(opened.flat(self.background), THUMB_PX)
        except (InputError, OSError):  # gone or changed since it was looked at: the page says so
            return ""
