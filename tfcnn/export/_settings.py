"""What lies beside an exported model: all that is needed to use it, as one JSON file."""

from importlib.metadata import version
from typing import Any

from tfcnn.base.records import to_json
from tfcnn.export._job import INPUT, OUTPUTS, Job
from tfcnn.prediction import domain
from tfcnn.runs import DOMAIN, MODEL

SETTINGS = "settings.json"


def content(job: Job) -> dict[str, Any]:
    """Return how to use the model of a run, whatever the format.

    Returns:
        JSON-ready values: the classes, the decoder, what the model takes and gives, the rules for
        decisions and flags, and what a user must know. The out-of-domain rule includes its
        arrays; `tfcnn.prediction.domain` says how they are used.
    """
    run, card = job.run, job.run.card
    settings = card.get("domain")
    shape = [None, *run.decoder.shape]
    names = list(run.class_names)
    return {
        "run": run.name,
        "made_by": f"tfcnn {version('tfcnn')}",
        "model_sha256": card["sha256"].get(MODEL),
        "class_names": names,
        "positive": card["positive"],
        "threshold": run.threshold,
        "threshold_reason": card.get("threshold_reason", ""),
        "decoder": {**run.decoder.to_dict(), "background": run.decoder.background},
        "takes": {INPUT: {"dtype": "uint8", "shape": shape, "range": [0, 255]}},
        "gives": {
            OUTPUTS[0]: {"dtype": "float32", "shape": [None, len(names)]},
            OUTPUTS[1]: {
                "dtype": "float32",
                "shape": [None, int(job.model.get_layer("head").input.shape[-1])],
            },
        },
        "data": {"summary": card["data"]["summary"], "notes": card["data"]["notes"]},
        "caution": run.doubt,
        "flags": {
            "abstain": card.get("abstention"),
            "out_of_domain": settings and {**settings, **_arrays(job, settings)},
        },
    }


def _arrays(job: Job, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the arrays of the run's domain, each float with the fewest digits that give it."""
    arrays = domain.load(job.run.file(DOMAIN), settings).arrays
    return {
        "reasons": domain.REASONS,
        "neighbour": domain.NEIGHBOUR,
        "arrays": {name: _shortest(array.tolist(), array.dtype) for name, array in arrays.items()},
    }


def _shortest(values: Any, kind: Any) -> Any:
    if isinstance(values, list):
        return [_shortest(value, kind) for value in values]
    return float(str(kind.type(values)))


def text(settings: dict[str, Any]) -> str:
    """Return settings as JSON: a line for each key, and for each array."""
    lines = [f"  {to_json(key)}: {to_json(value)}" for key, value in settings.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"
