"""What calling red blood cells one by one cannot tell of a patient: for data sets of such cells."""

from typing import Any

# WHO's low parasitaemia, 200 parasites per microlitre, among five million red cells per microlitre
PARASITES_PER_UL, ONE_IN = 200, 25_000


def group_caveat(specificity: float, lowest: float | None, images: float) -> dict[str, Any]:
    """Return how many false alarms there are for each infected cell at low parasitaemia.

    Args:
        specificity: of single cells, in [0, 1].
        lowest: the lower end of its interval, or None.
        images: cells looked at per patient.

    Returns:
        The expected numbers among `images` cells and among as many as hold one infected cell, and
        a `sentence`.

    Reference:
        One red cell in 25,000 at 200 parasites per microlitre of blood.
    """
    alarms, infected = (1 - specificity) * images, images / ONE_IN
    per_infected = (1 - specificity) * ONE_IN
    most = None if lowest is None else (1 - lowest) * ONE_IN
    upper = "" if most is None else f" ({_rounded(most)} at the end of its interval)"
    verdict = "So false alarms do not stand in the way of finding such an infection."
    if per_infected > 1 or (most or 0) > 1:
        verdict = "So no rule on this model's answers can find such an infection."
    if infected < 1:
        verdict += f" {_rounded(images)} cells, as many as here, will mostly hold no infected one."
    return {
        "cell_specificity": specificity,
        "cells_per_patient": images,
        "false_alarms": alarms,
        "infected_cells": infected,
        "one_infected_in": ONE_IN,
        "false_alarms_per_infected_cell": per_infected,
        "sentence": (
            f"In a weak infection, of {PARASITES_PER_UL} parasites per microlitre of blood, one "
            f"red cell in {ONE_IN:,} is infected. The model calls {100 * (1 - specificity):.2g} % "
            f"of healthy cells infected: among {ONE_IN:,} cells of such a patient it gives "
            f"{_rounded(per_infected)} false alarms{upper} for the one infected cell. {verdict}"
        ),
    }


def positive_limit(specificity: float | None) -> str:
    """Say why cells called one by one cannot tell whether a patient is infected.

    Args:
        specificity: of single cells, in [0, 1], or None where it is not known.
    """
    text = (
        "Cell-level specificity cannot support a patient call at low parasitaemia: "
        f"{PARASITES_PER_UL} parasites per µL are one infected red cell in {ONE_IN:,}."
    )
    if specificity is None:
        return text
    alarms = float(f"{(1 - specificity) * ONE_IN:.2g}")
    return (
        f"{text} At the specificity measured here, {100 * specificity:.1f} %, about {alarms:,.0f} "
        "healthy cells of these would be called infected."
    )


def _rounded(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 else f"{number:.2g}"
