"""How many cores a process may use, and work on them in order."""

import os
import subprocess
import sys

import pytest

from tfcnn.base import threads


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="Linux only")
def test_a_process_kept_to_one_core_starts_no_thread_for_the_others():
    one = min(os.sched_getaffinity(0))
    code = "from tfcnn.base import threads; print(threads.cores())"
    done = subprocess.run(
        [sys.executable, "-c", f"import os; os.sched_setaffinity(0, [{one}]); {code}"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.strip() == "1"
    assert 1 <= threads.cores() <= (os.cpu_count() or 1)


def test_results_come_in_the_order_of_the_items():
    items = list(range(3 * threads.PART + 1))
    assert list(threads.ordered(lambda item: -item, items)) == [-item for item in items]
