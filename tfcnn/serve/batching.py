"""Answer what waits in one go: while the model computes one batch, the next one gathers.

No image waits for others to come. A single request is computed at once; many at once share the
cost of a batch.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """Calls a function on what waits, on one thread, for an interpreter serves one at a time.

    Args:
        compute: from items to their results, in order.
        most: items at once.
        thread: an executor of one thread.
        note: hears the size of each batch.
    """

    def __init__(
        self,
        compute: Callable[[Sequence[Item]], Sequence[Result]],
        most: int,
        thread: ThreadPoolExecutor,
        note: Callable[[int], None],
    ) -> None:
        self._compute, self._most, self._thread, self._note = compute, most, thread, note
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._work: asyncio.Task[None] | None = None

    async def result(self, item: Item) -> Result:
        """Return the result of an item, once its batch is computed.

        Raises:
            Exception: what the function raises of that batch.
        """
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._work is None:
            self._work = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        try:
            while batch := self._next():
                await self._answer(batch)
        finally:
            self._work = None

    def _next(self) -> list[tuple[Item, "asyncio.Future[Result]"]]:
        batch: list[tuple[Item, asyncio.Future[Result]]] = []
        while self._waiting and len(batch) < self._most:
            item, future = self._waiting.popleft()
            if not future.cancelled():  # as those of a request whose time is up
                batch.append((item, future))
        return batch

    async def _answer(self, batch: list[tuple[Item, "asyncio.Future[Result]"]]) -> None:
        items = [item for item, _ in batch]
        self._note(len(items))
        loop = asyncio.get_running_loop()
        try:
            results = await loop.run_in_executor(self._thread, self._compute, items)
        except Exception as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)
