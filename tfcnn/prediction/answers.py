"""What a run says of one image."""

from dataclasses import dataclass, field

# in order of precedence: an image has one flag
UNREADABLE, NO_ANSWER = "unreadable", "no-answer"
OUT_OF_DOMAIN, ABSTAIN = "out-of-domain", "abstain"
NO_NUMBERS = "the network gives no number for it (NaN or infinity)"


@dataclass(frozen=True)
class Prediction:
    """What a run says of one image.

    Attributes:
        path: the image, as it was given; `archive.zip/member` inside an archive.
        predicted: the most probable class, "" where there is no answer.
        probs: a probability per class name, in the model's order; empty where there is no answer.
        decision: the class by the run's threshold; `predicted` where it has none.
        flag: "", `unreadable` or `no-answer` (the network gave no number), for which there is no
            answer; `out-of-domain` (unlike the training images: the answer means nothing) or
            `abstain` (too close to call), where the answer is given all the same.
        reason: why, where there is a flag.
        remark: what is not seen of the image, such as its other pages, mostly "".
        group: the patient, slide or video by the run's own rule, "" where it gives none.
    """

    path: str
    predicted: str
    probs: dict[str, float]
    decision: str
    flag: str = ""
    reason: str = field(default="", compare=False)
    remark: str = field(default="", compare=False)
    group: str = field(default="", compare=False)
