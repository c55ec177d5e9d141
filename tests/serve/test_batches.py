"""Batches: what waits is computed together, in order, and a fault is each one's own to hear."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from served import finished

from tfcnn.serve.batching import Batcher


def run(compute, most, use):
    sizes = []

    async def main():
        with ThreadPoolExecutor(1) as thread:
            return await use(Batcher(compute, most, thread, sizes.append))

    return finished(main()), sizes


def test_one_alone_does_not_wait_and_the_others_gather():
    go = threading.Event()

    def compute(items):
        assert go.wait(10)
        return [10 * item for item in items]

    async def use(batcher):
        first = asyncio.create_task(batcher.result(0))
        await asyncio.sleep(0.05)  # it is being computed
        others = [asyncio.create_task(batcher.result(item)) for item in range(1, 8)]
        await asyncio.sleep(0.05)
        go.set()
        return await asyncio.gather(first, *others)

    assert run(compute, 4, use) == ([0, 10, 20, 30, 40, 50, 60, 70], [1, 4, 3])


def test_a_batch_that_fails_tells_each_and_the_next_one_is_computed():
    def compute(items):
        if 1 in items:
            raise ValueError("one")
        return items

    async def use(batcher):
        results = await asyncio.gather(*map(batcher.result, (1, 2, 3, 4)), return_exceptions=True)
        return [str(result) for result in results]

    assert run(compute, 2, use) == (["one", "one", "3", "4"], [2, 2])


def test_what_nobody_waits_for_is_not_computed():
    async def use(batcher):
        tasks = [asyncio.create_task(batcher.result(item)) for item in range(3)]
        await asyncio.sleep(0)  # they wait, and nothing is computed yet
        tasks[0].cancel()
        tasks[2].cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert await batcher.result(7) == 7
        return [type(result) for result in results]

    kinds, sizes = run(list, 8, use)
    assert kinds == [asyncio.CancelledError, int, asyncio.CancelledError] and sizes == [1, 1]


def test_a_fault_of_the_thread_does_not_stop_the_batcher():
    async def use(batcher):
        with pytest.raises(ZeroDivisionError):
            await batcher.result(0)
        return await batcher.result(2)

    assert run(lambda items: [1 // item for item in items], 8, use) == (0, [1, 1])
