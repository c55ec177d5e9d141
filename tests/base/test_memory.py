"""Many objects are made without a look for garbage, which is switched on again whatever happens."""

import gc

import pytest

from tfcnn.base import memory


@pytest.mark.parametrize("was_on", [True, False])
def test_the_search_for_garbage_is_as_it_was(was_on):
    (gc.enable if was_on else gc.disable)()
    try:
        with pytest.raises(KeyError), memory.adding():
            assert not gc.isenabled()
            raise KeyError
        assert gc.isenabled() == was_on
    finally:
        gc.enable()
