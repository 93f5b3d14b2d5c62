"""Looking ahead gives the same items in the same order, ends as the items end, and leaves no thread behind."""

import subprocess
import sys
import threading

import pytest

from alexnet.data.lookahead import ahead

WAIT = 30  # seconds, until a test that would hang fails


def helpers():
    return [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    assert helpers() == []


@pytest.mark.parametrize("depth", [0, 1, 2, 50])
@pytest.mark.parametrize("count", [0, 1, 2, 20])
def test_the_items_come_in_their_order(count, depth):
    assert list(ahead(iter(range(count)), depth)) == list(range(count))


def test_items_may_be_none_or_equal():
    assert list(ahead([None, None, 0, False])) == [None, None, 0, False]


@pytest.mark.parametrize("depth", [1, 3])
def test_the_next_items_are_prepared_while_the_consumer_has_one(depth):
    prepared = [threading.Event() for _ in range(9)]

    def items():
        for number, event in enumerate(prepared):
            event.set()
            yield number

    steps = ahead(items(), depth)
    assert next(steps) == 0
    assert all(event.wait(WAIT) for event in prepared[: depth + 1])
    assert not any(event.is_set() for event in prepared[depth + 1 :])  # and no more than these
    assert list(steps) == list(range(1, 9))


def test_nothing_is_taken_before_the_first_item_is_asked_for():
    source = iter(range(3))
    steps = ahead(source)
    assert helpers() == []
    assert next(source) == 0
    assert list(steps) == [1, 2]


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, StopAsyncIteration])
def test_an_error_comes_where_its_item_would_have_come(kind):
    def items():
        yield 0
        yield 1
        raise kind("torn record")

    steps = ahead(items(), 2)
    assert [next(steps), next(steps)] == [0, 1]
    with pytest.raises(kind, match="torn record"):
        next(steps)
    assert helpers() == []
    assert list(steps) == []


@pytest.mark.parametrize("depth", [0, 2])
def test_a_consumer_that_stops_ends_the_thread_and_closes_the_items(depth):
    closed = []

    def items():
        try:
            yield from range(100)
        finally:
            closed.append(threading.current_thread().name)

    def stop_midway():
        for item in ahead(items(), depth):
            if item == 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop_midway()
    assert helpers() == []
    assert len(closed) == 1
    steps = ahead(items(), depth)
    next(steps)
    steps.close()
    assert len(closed) == 2


def test_items_in_one_thread_see_each_other():
    def items():
        local = threading.local()
        local.seen = 0
        for _ in range(5):
            local.seen += 1
            yield local.seen

    assert list(ahead(items(), 2)) == [1, 2, 3, 4, 5]


def test_a_program_that_leaves_midway_ends():
    code = (
        "from alexnet.data.lookahead import ahead\n"
        "def endless():\n"
        "    while True: yield 1\n"
        "steps = ahead(endless(), 4)\n"
        "next(steps)\n"
        "keep = [steps]; keep.append(keep)\n"  # a ring, so that nothing closes it before the end
        "raise SystemExit(7)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], timeout=WAIT, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (7, "")
