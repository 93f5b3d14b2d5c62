"""Races: contestants, each in a process of its own, take turns, and what each came to is kept."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from apart import Apart, Failed, Work
from measuring import take_turns
from workloads import Way

from alexnet.architectures import Architecture

FLOAT32 = "eager float32, as the write-ups"
SWITCHES = "autocast and every switch"
COMPILED = "the same compiled"
KEPT = "the same compiled, memory kept"
WAYS = {FLOAT32: Way(), SWITCHES: Way(True, True), COMPILED: Way(True, True, True), KEPT: Way(True, True, True)}
LONG = 3.0  # seconds of a piece of work


@dataclass(frozen=True)
class Entry:
    """A contestant.

    Attributes:
        make: Makes its work, in its own process.
        units: Images, or what else is counted, in one piece of work.
        keep: Whether its process keeps the memory that it frees.
        threads: That it uses; 0: as many as all.
        may_fail: Whether the others go on without it if it fails at its first use.
    """

    make: Callable[[], Work]
    units: float
    keep: bool = False
    threads: int = 0
    may_fail: bool = False


@dataclass(frozen=True)
class Race:
    """What came of the rounds: units a second, and MiB of memory at most, of each contestant."""

    rates: dict[str, list[float]]
    peaks: dict[str, list[float]]


@dataclass
class Bench:
    """How it is measured.

    Attributes:
        images: In a batch.
        rounds: Turns that each contestant takes.
        threads: That each uses.
        compiled: Whether the compiled rivals take part; their first use takes a minute each.
        networks: Whose training steps are measured; the first is also evaluated, and trained from a store.
        side: Of the matrices whose product shows the machine's rate.
        seconds: How long a turn is at least.
        facts: What is told besides the rows.
    """

    images: int = 128
    rounds: int = 5
    threads: int = 1
    compiled: bool = True
    networks: tuple[Architecture, ...] = ()
    side: int = 4096
    seconds: float = 1.0
    facts: dict[str, Any] = field(default_factory=dict)

    def race(self, label: str, entries: Mapping[str, Entry]) -> Race:
        """Start the contestants, let each work once to warm up and once to see how long it takes, then take turns."""
        peaks: dict[str, list[float]] = {}
        contestants = {}
        with ExitStack() as stack:
            for name, entry in entries.items():
                threads = entry.threads or self.threads
                apart = stack.enter_context(Apart(f"{label}, {name}", entry.make, threads, entry.keep))
                try:
                    first = apart.turn(1).seconds
                except Failed as error:
                    if not entry.may_fail:
                        raise
                    print(f"left out: {error}", flush=True)
                    self.facts.setdefault("left_out", []).append(str(error))
                    continue
                self.facts.setdefault("first_use_s", {})[f"{label}, {name}"] = round(first, 2)
                print(f"{label}, {name}: {first:.2f} s at first use", flush=True)
                # What takes long needs no second look, unless it was compiled in the first.
                again = first if first > LONG and not entry.may_fail else apart.turn(1).seconds
                times = max(1, min(1000, round(self.seconds / again)))
                peaks[name] = []

                def turn(apart: Apart = apart, times: int = times, entry: Entry = entry, name: str = name) -> float:
                    peaks[name].append(apart.turn(times).peak / 2**20)
                    return entry.units * times

                contestants[name] = turn
            return Race(take_turns(self.rounds, contestants, warm_up=0), peaks)

    def ways(self, *names: str) -> dict[str, Way]:
        """Give the ways of others that take part."""
        return {name: WAYS[name] for name in names if self.compiled or not WAYS[name].compiled}

    def rival(self, name: str, make: Callable[[], Work], units: float) -> Entry:
        """Enter one of the ways of others."""
        return Entry(make, units, keep=name == KEPT, may_fail=WAYS[name].compiled)
