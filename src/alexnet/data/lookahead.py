"""The next batches prepared by a thread while the present one is learned from; which they are does not change."""

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")


def ahead(items: Iterable[Item], depth: int = 1) -> Iterator[Item]:
    """Go through items in their order, the next `depth` of them prepared meanwhile by one thread.

    An error of the items, an interruption too, is raised where the item that failed would have come. The thread is
    there from the first item that is asked for until the last, an error, or the end of the generator itself (`close`,
    or when nothing refers to it any longer); then it finishes the item it is at, and the items are closed, if they are
    a generator. It never waits for the consumer, so that a program that leaves midway ends without it.

    Args:
        items: What takes time is their `next`. It runs outside the consumer's thread: what is set a thread (CUDA's
            streams, whether gradients are kept) is not as the consumer has it.
        depth: How many items there may be besides the one that the consumer has; 0 prepares none ahead.
    """
    iterator = iter(items)
    pool = ThreadPoolExecutor(1, "ahead")
    waiting: deque[Future[list[Item]]] = deque()
    try:
        while True:
            while len(waiting) <= depth:
                waiting.append(pool.submit(list, islice(iterator, 1)))
            item = waiting.popleft().result()
            if not item:
                return
            yield item[0]
            del item  # it may be large, and the next is waited for now
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        if isinstance(iterator, Generator):
            iterator.close()
