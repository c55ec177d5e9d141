"""What an opened run knows is read as fields, from files that are as they were written."""

import pytest

import tfcnn
from tfcnn.base.errors import CheckError


def test_the_tables_of_a_run_are_fields(trained):
    run = tfcnn.load(trained)
    assert len(run.split) == 12 * 2 * 4
    assert {row["split"] for row in run.predictions} == {"val", "test"}
    assert len(run.history["val_loss"]) == 4


def test_the_model_is_a_path_whose_content_was_checked(run_copy):
    run = tfcnn.load(run_copy)
    assert run.model_path == run_copy / "model.keras"
    with run.model_path.open("r+b") as file:
        file.write(b"other")
    with pytest.raises(CheckError, match=r"model\.keras"):
        _ = run.model_path
