"""What a data set's file says of its images beside how to get them."""

import pytest

from tfcnn import datasets
from tfcnn.datasets import _parasites, malaria, smears


@pytest.mark.parametrize(
    ("name", "positive", "expected"),
    [
        ("malaria", None, malaria.positive_limit),
        ("smears", None, smears.positive_limit),
        ("mnist", None, None),
        ("my-cells", None, None),
        ("my-cells", "ill", None),
        ("my-cells", "parasitized", malaria.positive_limit),  # the course's own folders
        ("my-cells", "Malaria", malaria.positive_limit),
    ],
)
def test_it_is_found_by_the_name_or_by_the_class_that_is_looked_for(name, positive, expected):
    assert datasets.part(name, "positive_limit", positive) is expected


def test_what_is_true_of_these_images_alone_is_not_said_of_a_folder():
    assert "5 % of the labels" in datasets.part("malaria", "LIMITS")[0]
    assert datasets.part("my-cells", "LIMITS") is None
    assert "synthetic" in datasets.part("smears", "intended_use")("90 cells of 9 patients")


def test_the_limit_of_the_positive_class_has_a_figure_where_it_is_known():
    assert _parasites.positive_limit(None).endswith("one infected red cell in 25,000.")
    assert "97.9 %, about 530 healthy cells" in _parasites.positive_limit(0.97885)


def test_the_caveat_counts_false_alarms_for_each_infected_cell():
    caveat, one_in = _parasites.group_caveat, _parasites.ONE_IN
    assert malaria.group_caveat is smears.group_caveat is caveat
    found = caveat(0.97, 0.95, 1000)
    assert found["false_alarms"] == pytest.approx(30)
    assert found["infected_cells"] == pytest.approx(1000 / one_in)
    assert found["false_alarms_per_infected_cell"] == pytest.approx(750)
    assert "calls 3 % of healthy cells infected" in found["sentence"]
    alarms = "750 false alarms (1,250 at the end of its interval) for the one infected cell"
    assert alarms in found["sentence"]
    few = "1,000 cells, as many as here, will mostly hold no infected one."
    assert found["sentence"].endswith(few)
    cannot = "can find such an infection."
    can = "do not stand in the way of finding such an infection."
    assert cannot in found["sentence"]
    assert caveat(1.0, 0.9999, one_in)["sentence"].endswith(cannot)
    assert caveat(1.0, None, one_in)["sentence"].endswith(can)
