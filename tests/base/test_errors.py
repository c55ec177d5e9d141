import pytest

from tfcnn.base.errors import CheckError, InputError, UnfitValueError


@pytest.mark.parametrize(("kind", "code"), [(InputError, 2), (CheckError, 3)])
def test_an_error_keeps_its_parts_and_is_one_line(kind, code):
    error = kind("a\nb.png", "an image", "a \x1b[31mtext\r\n of two lines", "saving\n it anew")
    assert error.exit_code == code
    assert error.subject == "a\nb.png"
    assert (error.expected, error.hint) == ("an image", "saving\n it anew")
    assert error.received == "a \x1b[31mtext\r\n of two lines"
    assert error.problem == r"a b.png: expected an image; received a \x1b[31mtext of two lines"
    assert str(error) == f"{error.problem}; try saving it anew"


def test_a_value_may_be_refused_without_a_subject():
    error = UnfitValueError("8 to 1024 px", "3")
    assert isinstance(error, ValueError)
    assert (error.expected, error.received, error.hint) == ("8 to 1024 px", "3", "")
