"""What the service sends, for its OpenAPI description."""

from typing import Any

from pydantic import BaseModel, Field

from tfcnn.serve.uploads import FIELD, MULTIPART


class Model(BaseModel):
    """What answers, and by which rules."""

    run: str = Field(description="The name of the run.")
    model_sha256: str = Field(description="The sha256 of the model file, as in model.json.")
    computed_by: str = Field(description="litert or keras.")
    class_names: list[str] = Field(description="In the order of the model's outputs.")
    positive: str | None = Field(description="The class that is looked for, if there is one.")
    threshold: float = Field(description="The decision is positive from this probability on.")
    notice: str = Field(description="What the answers are not for.")


class Row(BaseModel):
    """What the model says of one image: a JSON line of tfcnn predict."""

    path: str = Field(description="The file's name, as the client sent it.")
    predicted: str = Field(description="The most probable class; empty without an answer.")
    probs: dict[str, float] = Field(description="A probability for each class.")
    decision: str = Field(description="The class by the threshold.")
    flag: str = Field(description="Empty, out-of-domain, abstain, unreadable or no-answer.")
    reason: str = Field(description="Why, where there is a flag.")
    remark: str | None = Field(None, description="What of the file was not seen, if anything.")
    group: str | None = Field(None, description="The patient, read from the name, if it has one.")
    heat_map: str | None = Field(None, description="A PNG as a data URI, where asked for.")


class Answer(Model):
    """The answers to the images of a request, in their order."""

    predictions: list[Row] = Field(description="In the order of the files.")


class Problem(BaseModel):
    """Why there is no answer."""

    error: str = Field(description="What was expected, what was received, and what to try.")
    predictions: list[Row] | None = Field(
        None, description="A row for each image, where the images are the reason."
    )


class State(BaseModel):
    """How the service is."""

    status: str = Field(description="ok, or ready.")


BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            MULTIPART.decode(): {
                "schema": {
                    "type": "object",
                    "required": [FIELD],
                    "properties": {
                        FIELD: {
                            "type": "array",
                            "minItems": 1,
                            "items": {"type": "string", "format": "binary"},
                            "description": "Image files; archives are not taken.",
                        }
                    },
                    "additionalProperties": False,
                }
            }
        },
    }
}
ANSWER: dict[str, Any] = {"model": Answer, "description": "A prediction for each image."}
STATUSES = {
    401: "The token is missing or wrong.",
    408: "The client took too long to send the request.",
    413: "A file, the request, the number of files or of pixels is over the limit.",
    415: "The body is not multipart/form-data, or no file is an image of a format that is read.",
    421: "The request is for another host; only without a token.",
    422: "The body is malformed, or no image can be read.",
    429: "Too many requests at once.",
    503: "Too many bytes are held for other requests.",
    504: "The answer took too long.",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the description of errors by status."""
    return {status: {"model": Problem, "description": STATUSES[status]} for status in statuses}
