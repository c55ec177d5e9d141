"""Predict many images: in shards, on a cluster, and on from where a killed command ended."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from tfcnn import __version__
from tfcnn.base import continuing
from tfcnn.base.disk import locked
from tfcnn.base.errors import InputError
from tfcnn.decode import limits
from tfcnn.prediction.answers import Prediction
from tfcnn.prediction.engines import Note
from tfcnn.prediction.journal import Head, Journal
from tfcnn.prediction.predictor import Predictor, Stream
from tfcnn.prediction.work import WHOLE, Shard, Work, parse_shard, plan
from tfcnn.runs import Run

__all__ = ["WHOLE", "How", "Shard", "parse_shard", "predicting"]

Place = Literal["here", "ray"]
Engine = Literal["auto", "litert", "openvino", "keras"]
KEPT_FROM = 1000  # images; fewer are predicted again in a second or two
RESUMABLE = "to go on with what was predicted: --resume"


@dataclass(frozen=True)
class How:
    """How many images are predicted.

    Attributes:
        output: the file that is written, beside which the predictions so far are kept; None for
            standard output.
        shard: which part of the images.
        engine: what computes. Shards and the actors of a cluster must compute the same, so for
            them `auto` is LiteRT.
        place: on this machine, or on a Ray cluster.
        resume: go on with what a killed command has predicted, if there is something.
        fresh: begin again, if there is something.
    """

    output: Path | None = None
    shard: Shard = WHOLE
    engine: Engine = "auto"
    place: Place = "here"
    resume: bool = False
    fresh: bool = False

    def check(self) -> None:
        """Refuse what cannot be done together.

        Raises:
            InputError: naming the options.
        """
        continuing.refuse_both("predict", resume=self.resume, fresh=self.fresh)
        if self.output is None and (self.resume or self.fresh):
            received = "standard output"
            raise InputError("--resume", "a file to go on with", received, "--output FILE.csv")
        if self.output and self.shard != WHOLE and self.output.suffix.lower() == ".xlsx":
            hint = "--output predictions.csv"
            raise InputError("--shard", "a file that can be joined to others", ".xlsx", hint)


@contextlib.contextmanager
def predicting(
    run: Run, paths: Iterable[str | Path], how: How, note: Note | None = None
) -> Iterator[Stream]:
    """Give the predictions, one after the other; what is done is kept until the block ends well.

    Args:
        run: an opened run.
        paths: files, folders and zip archives.
        how: where, by what, which part, and whether to go on.
        note: hears what was passed over, what computes, and where it goes on.

    Raises:
        InputError: if a path holds no image, what was begun is something else, or it is not said
            what becomes of it.
    """
    how.check()
    work = plan(run, paths, note, how.shard)
    if how.output is None or (len(work.images) < KEPT_FROM and not how.resume):
        answers = _open(run, how, how.engine, len(work.images), note)
        found = chain.from_iterable(answers.of_batches(work))
        yield Stream(work.grouped(found), work.has_groups, work.images)
        return
    journal = Journal(how.output, run.class_names)
    with locked(journal.path), _resumable():
        answers = _open(run, how, _engine(journal, how), len(work.images), note)
        _begin(journal, _head(work, answers.name), work, how, note)
        rest = journal.keep(answers.of_batches(work.after(journal.done)))
        found = chain(journal.replay(), rest)
        yield Stream(work.grouped(found), work.has_groups, work.images)
        journal.remove()


class _Answers(NamedTuple):
    """What computes: its name and version, and what gives the predictions of each batch."""

    name: str
    of_batches: Callable[[Work], Iterator[Iterable[Prediction]]]


def _open(run: Run, how: How, engine: Engine, count: int, note: Note | None) -> _Answers:
    is_alone = how.shard == WHOLE and how.place == "here"
    predictor = Predictor(run, engine, note, seeks_faster=is_alone)
    predictor.expect(count)
    name = f"{predictor.engine} {predictor.computed_by['version']}"
    if how.place == "here":
        return _Answers(name, lambda work: predictor.of_batches(work.batches()))
    from tfcnn.prediction import on_ray  # late: Ray is an extra

    cluster = on_ray.connect(run, predictor.engine, note)
    return _Answers(name, cluster.of_batches)


def _engine(journal: Journal, how: How) -> Engine:
    """Return the engine that is asked for; where none is, that which has begun the work."""
    if how.engine != "auto" or not how.resume:
        return how.engine
    begun = str(journal.head().get("engine", "")).partition(" ")[0]
    return next((one for one in get_args(Engine) if one == begun), "auto")


def _head(work: Work, engine: str) -> Head:
    """Return what two commands must have in common so that one goes on with the other's work."""
    return {
        "tfcnn": __version__,
        "model.json": work.run.card_sha256[:16],
        "engine": engine,
        "shard": str(work.shard),
        "images": len(work.images),
        "paths": work.sha256()[:16],
        "batch": work.batch_size,
        "megapixels": limits.megapixels(),
    }


def _begin(journal: Journal, head: Head, work: Work, how: How, note: Note | None) -> None:
    """Begin anew, or go on, as the user says."""
    old = {} if how.fresh else journal.head()
    if old and not how.resume:
        count = old.get("images")  # of any kind, in a file that something else has written
        images = f"{count:,}" if isinstance(count, int) else count
        received = f"{images} images, of which some are predicted"
        hint = "--resume to go on with them"
        raise InputError(journal.path, "--resume or --fresh", received, hint)
    if not old:
        journal.begin(head)
        return
    journal.go_on(head, work.images, work.batch_size)
    if note:
        note(f"going on after {journal.done:,} of {len(work.images):,} images")


@contextlib.contextmanager
def _resumable() -> Iterator[None]:
    """Add a note to an exception that leaves the block, by which a command says how to go on."""
    try:
        yield
    except BaseException as error:
        error.add_note(RESUMABLE)
        raise
