"""From a source to shards: chunks of pictures decoded by threads, and written in the order of the source.

The decoders release the interpreter, statistics are added up in integers, and a shard begins at a fixed example: so
neither the number of threads nor the shards that are there already change a byte.
"""

from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import groupby, islice
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from alexnet.data.decode import Decoded, UnreadablePicture, fit, read, read_file
from alexnet.data.member import Member
from alexnet.data.plan import Plan
from alexnet.data.sources import Example, Source
from alexnet.data.sources.boxes import cut
from alexnet.data.statistics import Totals
from alexnet.data.unfinished import Unfinished
from alexnet.data.writing import Records, ShardWriter, encoded
from alexnet.errors import DataError

CHUNK_BYTES = 4 << 20
ENLARGED = "enlarged: smaller than the store's pictures"
Progress = Callable[[int, int | None], None]
Shard = tuple[str, int]  # a split, and the shard's place in it


def write_shards(source: Source, work: Unfinished, workers: int, strict: bool, progress: Progress) -> None:
    """Write the shards that are not there yet.

    Args:
        source: Of the pictures.
        work: The working folder, with its plan.
        workers: Threads that decode.
        strict: Fail on the first picture that cannot be read.
        progress: Called with the pictures done and the number of all.

    Raises:
        DataError: If a picture is refused and `strict`, or if the source has fewer pictures than it said.
        AlexNetError: If writing fails.
    """
    plan = work.plan
    if strict and work.bad:
        name, _, reason = work.bad[0]
        raise DataError(f"{name}: {reason}")
    total = sum(plan.examples(*shard) for shard in plan.own())
    done = sum(plan.examples(*shard) for shard in work.done)
    if done:
        progress(done, total)
    with closing(_prepared(source, work, workers, strict)) as prepared:
        for shard, chunks in groupby(prepared, key=lambda one: one[0]):
            writer = ShardWriter(work.store, work.notes, plan, *shard)
            try:
                for _, records in chunks:
                    writer.add(records)
                    done += len(records.labels) + len(records.bad)
                    progress(done, total)
                writer.close()
            finally:
                writer.file.abandon()
            work.done.add(shard)


def _chunks(source: Source, work: Unfinished) -> Iterator[tuple[Shard, list[Example]]]:
    """Divide the examples of the missing shards into pieces of about four megabytes of pixels."""
    plan, size = work.plan, max(1, CHUNK_BYTES // (work.plan.side**2 * 3))
    missing = {shard for shard in plan.own() if shard not in work.done}
    for split, of_split in groupby(source.examples() if missing else (), key=lambda example: example.split):
        examples = iter(of_split)
        for number in range(plan.shards(split)):
            of_shard = islice(examples, plan.examples(split, number))
            if (split, number) not in missing:
                deque(of_shard, maxlen=0)
                continue
            seen = 0
            while chunk := list(islice(of_shard, size)):
                seen += len(chunk)
                yield (split, number), chunk
            if seen < plan.examples(split, number):
                raise DataError(f"the source has fewer {split} pictures than it said: it is being changed, try again")
            missing.remove((split, number))
        if not missing:
            break
    if missing:
        raise DataError(f"the source has no {min(missing)[0]} pictures any more: it is being changed, try again")


def _prepared(source: Source, work: Unfinished, workers: int, strict: bool) -> Generator[tuple[Shard, Records]]:
    """Decode the chunks on threads, and give them in their order; only a few are in memory at a time."""
    pool = ThreadPoolExecutor(workers)
    pending: deque[tuple[Shard, Future[Records]]] = deque()
    try:
        for shard, examples in _chunks(source, work):
            pending.append((shard, pool.submit(_prepared_chunk, examples, work.plan, strict)))
            if len(pending) > 2 * workers:
                shard, result = pending.popleft()
                yield shard, result.result()
        while pending:
            shard, result = pending.popleft()
            yield shard, result.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _prepared_chunk(examples: list[Example], plan: Plan, strict: bool) -> Records:
    """Decode and fit a chunk's pictures; the unreadable ones are set aside."""
    block = np.empty((len(examples), plan.side, plan.side, 3), np.uint8)
    good: list[Example] = []
    bad: list[tuple[str, int, str]] = []
    remarks: Counter[str] = Counter()
    for example in examples:
        try:
            decoded = _read(example)
            block[len(good)] = fit(decoded.pixels, plan.side)
            good.append(example)
            enlarged = ENLARGED if min(decoded.pixels.shape[:2]) < plan.side else ""
            remarks.update(remark for remark in (decoded.remark, enlarged) if remark)
        except UnreadablePicture as error:
            if strict:
                raise DataError(f"{example.name}: {error}") from error
            bad.append((example.name, example.label, str(error)))
    block = block[: len(good)]
    totals = Totals(plan.side)
    if examples[0].split == "train":
        totals.add(block)
    data, sizes, checksums = encoded(block, plan.records)
    labels, names = [example.label for example in good], [example.name for example in good]
    return Records(data, sizes, checksums, labels, names, bad, totals, remarks)


def _read(example: Example) -> Decoded:
    decoded = _decoded(example.picture)
    return decoded if example.box is None else Decoded(cut(decoded.pixels, example.box), decoded.remark)


def _decoded(picture: Path | Member | bytes | UInt8[np.ndarray, "h w 3"]) -> Decoded:
    if isinstance(picture, Path):
        return read_file(picture)
    if isinstance(picture, Member):
        return read(picture.read())
    return read(picture) if isinstance(picture, bytes) else Decoded(picture)
