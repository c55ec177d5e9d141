"""Make an export: write it, compare it with the saved model, and only then give it its name."""

import errno
import importlib.util
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tfcnn.base import quiet, records
from tfcnn.base.errors import CheckError, InputError, TfcnnError
from tfcnn.base.progress import Reporter
from tfcnn.base.replacing import replacing
from tfcnn.display.panel import Grid, Panel, Shown
from tfcnn.export import _place, _settings, _snippet, _verify, find
from tfcnn.export._format import Format
from tfcnn.export._job import Job
from tfcnn.runs import Run

EXTRA = "pip install 'tfcnn[export]'"
MOST_REASON = 200  # characters of an error of a library


@dataclass(frozen=True, repr=False)
class Export(Shown):
    """A run as a file that needs no tfcnn.

    Attributes:
        run: its name.
        format: as the command line spells it.
        title: as a person calls it.
        path: the folder that holds the model and what lies beside it, or the one file.
        files: their names; the model comes first.
        size_bytes: of the model.
        keras_size_bytes: of `model.keras`.
        agreement: with the saved model; see `_verify.compare`.
        latency: in ms; see `_verify.latency`.
        acceptance: for a format that rounds: its figures, and `sentence`; empty for others.
    """

    run: str
    format: str
    title: str
    path: Path
    files: tuple[str, ...]
    size_bytes: int
    keras_size_bytes: int
    agreement: dict[str, Any]
    latency: dict[str, float]
    acceptance: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {**asdict(self), "path": str(self.path), "sentence": self.sentence}

    @property
    def sentence(self) -> str:
        """The result in one sentence."""
        found = self.agreement
        start = f"On {found['of']} no probability differs from model.keras"
        if found["largest_difference"]:
            start += f" by more than {found['largest_difference']:.1g}"
        others = {"decisions": found["other_decisions"], "flags": found["other_flags"]}
        changed = [f"{count} {name} differ" for name, count in others.items() if count]
        end = f"; {' and '.join(changed)}." if changed else "; all decisions and flags are equal."
        return start + end

    def grid(self) -> Grid:
        """Return size and latency beside Keras."""
        sizes = [f"{size / 1e6:.2f} MB" for size in (self.size_bytes, self.keras_size_bytes)]
        rows = [["size", *sizes]]
        for key, text in (
            ("one_image_ms", "one image"),
            ("batch_image_ms", "an image of a batch"),
        ):
            times = self.latency[key], self.latency[f"keras_{key}"]
            rows.append([text, *(f"{value:.{0 if value >= 10 else 2}f} ms" for value in times)])
        return Grid(["", self.title, "model.keras"], rows)

    def panel(self) -> Panel:
        """Return what a notebook shows."""
        lines = [self.sentence, *filter(None, [self.acceptance.get("sentence")])]
        notes = [*filter(None, [self.agreement["note"]])]
        return Panel(f"{self.run} as {self.title}", lines, notes, [self.grid()], self.path)


def export_run(run: Run, name: str, output: Path | None, reporter: Reporter) -> Export:
    """Write a run in a format, if that gives the answers of the saved model.

    Args:
        run: a finished run.
        name: of the format.
        output: a folder, or a file for a format that stands alone; `RUN-FORMAT` in the working
            folder if None. An earlier export there is replaced.
        reporter: hears of the stages.

    Raises:
        InputError: if there is no such format, a library is missing, or the place is taken.
        CheckError: if the run is a demonstrated leak, or the export answers otherwise: then
            nothing is written.
    """
    format_module = find(name)
    run.refuse_leaky()
    require(name, format_module.LIBRARIES)
    target = output or Path(f"{run.name}-{name}{_place.suffix(format_module)}")
    _place.check(target, format_module)
    quiet.load_tensorflow(reporter)
    job = Job(run, reporter)
    with replacing(target) as part:
        is_alone = format_module.SNIPPET is None
        if not is_alone:
            part.mkdir()
        place = part if is_alone else part / format_module.FILE
        reporter.stage(f"writing {format_module.TITLE}")
        _convert(job, format_module, place)
        reporter.stage("comparing with model.keras")
        runner = format_module.open_file(place)
        agreement = _verify.compare(job, format_module, runner)
        accepted = {} if format_module.TOLERANCE is not None else format_module.accept(job, runner)
        latency = _verify.latency(job, runner)
        size, keras_size = _size(place), run.model_path.stat().st_size
        if not is_alone:
            _write_beside(job, format_module, part, agreement, accepted)
        names = (target.name,) if is_alone else _names(part, format_module)
    return Export(
        run.name, name, format_module.TITLE, target, names, size, keras_size, agreement, latency,
        accepted,
    )  # fmt: skip


def _convert(job: Job, format_module: Format, place: Path) -> None:
    """Write the model.

    Raises:
        CheckError: if the format lacks an operation of the network.
        OSError: if the disk is full.
    """
    try:
        format_module.write(job, place)
    except (TfcnnError, OSError):
        raise
    except Exception as error:  # converters raise many types
        if os.strerror(errno.ENOSPC) in str(error):  # TensorFlow has an error of its own for it
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(place)) from error
        quiet.write_log(f"no {format_module.TITLE}: {error}")
        title = f"{job.run.path} as {format_module.TITLE}"
        received = f"{type(error).__name__}: {error}"[:MOST_REASON]
        hint = f"another --format; details in {quiet.log_path()}"
        raise CheckError(title, "a network that can be converted", received, hint) from error


def require(name: str, libraries: dict[str, str]) -> None:
    """Refuse a format whose libraries are not installed.

    Raises:
        InputError: naming the first that is missing.
    """
    for module, package in libraries.items():
        if importlib.util.find_spec(module) is None:
            raise InputError(f"--format {name}", f"the library {package}", "none", EXTRA)


def _size(place: Path) -> int:
    paths = [place] if place.is_file() else [path for path in place.rglob("*") if path.is_file()]
    return sum(path.stat().st_size for path in paths)


def _write_beside(
    job: Job, format_module: Format, folder: Path, agreement: dict[str, Any], accepted: Any
) -> None:
    """Write `settings.json` and `predict.py` beside a model."""
    hashes = {
        path.relative_to(folder).as_posix(): records.sha256_of(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    content = _settings.content(job)
    flags = content.pop("flags")  # long: last
    content |= {
        "format": format_module.TITLE,
        "file": format_module.FILE,
        "sha256": hashes,
        "agreement": agreement,
        **({"acceptance": accepted} if accepted else {}),
        "flags": flags,
    }
    (folder / _settings.SETTINGS).write_text(_settings.text(content), encoding="utf-8")
    text = _snippet.text(format_module, job.run.decoder)
    (folder / _snippet.SNIPPET).write_text(text, encoding="utf-8")


def _names(folder: Path, format_module: Format) -> tuple[str, ...]:
    others = sorted(path.name for path in folder.iterdir() if path.name != format_module.FILE)
    return format_module.FILE, *others
