"""Side-by-side measurements: rivals take turns on the same cores; medians and spreads are told with the machine."""

import json
import os
import platform
import re
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from alexnet.durable import write_atomic

PACKAGES = ("torch", "numpy", "pillow", "simplejpeg")


@dataclass(frozen=True)
class Row:
    """One measurement beside its rival's.

    Attributes:
        label: What was measured.
        unit: Of `value` and `rival_value`.
        value: Median of ours over the rounds.
        spread: Distance of its quartiles, as a share of the median.
        rival: Whom it is compared with.
        rival_value: Median of the rival's.
        rival_spread: As `spread`.
        ratio: Median over the rounds of ours by the rival's in the same round, or of the rival's by ours where less is
            better: above 1, ours is ahead.
        ratio_spread: As `spread`.
        rounds: How often each had its turn.
        wanted_ratio: What the ratio must reach; None where it is only told.
        wanted_value: What ours must reach.
        less_is_better: As for memory.
        note: What else is to be said.
    """

    label: str
    unit: str
    value: float
    spread: float
    rival: str
    rival_value: float
    rival_spread: float
    ratio: float
    ratio_spread: float
    rounds: int
    wanted_ratio: float | None = None
    wanted_value: float | None = None
    less_is_better: bool = False
    note: str = ""

    @staticmethod
    def of(label: str, unit: str, ours: list[float], rival: str, theirs: list[float], **more: Any) -> "Row":
        """Sum up the rounds of ours and of a rival; `more` is what is wanted, and the last two attributes."""
        pairs = zip(theirs, ours, strict=True) if more.get("less_is_better") else zip(ours, theirs, strict=True)
        ratios = [one / other for one, other in pairs]
        figures = [figure for rates in (ours, theirs, ratios) for figure in (statistics.median(rates), _spread(rates))]
        value, spread, rival_value, rival_spread, ratio, ratio_spread = figures
        measured = (value, spread, rival, rival_value, rival_spread, ratio, ratio_spread, len(ours))
        return Row(label, unit, *measured, **more)

    def line(self) -> str:
        """Tell it in a line."""
        told = (
            f"{self.label}: {figure(self.value)} {self.unit} (±{self.spread:.0%}) · {self.rival}: "
            f"{figure(self.rival_value)} (±{self.rival_spread:.0%}) · ratio {self.ratio:.2f} (±{self.ratio_spread:.0%})"
        )
        if self.wanted_ratio is not None:
            told += f" · wanted {self.wanted_ratio}: {'yes' if self.ratio >= self.wanted_ratio else 'NO'}"
        if self.wanted_value is not None:
            told += f" · wanted {self.wanted_value:,.0f}: {'yes' if self.value >= self.wanted_value else 'NO'}"
        return told + (f" · {self.note}" if self.note else "")


def rows_of(
    label: str, unit: str, rates: Mapping[str, list[float]], wanted: Mapping[str, Mapping[str, Any]]
) -> Iterator[Row]:
    """Compare the first contestant with each of the others; what is wanted and noted goes by the rival's name."""
    (_, ours), *rivals = rates.items()
    for rival, theirs in rivals:
        yield Row.of(label, unit, ours, rival, theirs, **wanted.get(rival, {}))


def figure(value: float) -> str:
    """Write a value with three figures, or whole."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _spread(rates: list[float]) -> float:
    if len(rates) < 2:
        return 0.0
    low, middle, high = statistics.quantiles(rates, n=4, method="inclusive")
    return (high - low) / middle


def take_turns(rounds: int, contestants: Mapping[str, Callable[[], float]], warm_up: int = 1) -> dict[str, list[float]]:
    """Let each contestant do its work once a round, after rounds that do not count.

    Args:
        rounds: How many rounds count.
        contestants: By name; each does its work and returns how many units that was.
        warm_up: How many do not.

    Returns:
        Units a second, round by round.
    """
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(1 - warm_up, rounds + 1):
        for name, work in contestants.items():
            start = time.perf_counter()
            units = work()
            seconds = time.perf_counter() - start
            if turn > 0:
                rates[name].append(units / seconds)
                print(f"  round {turn}, {name}: {figure(units / seconds)}/s", flush=True)
    return rates


@contextmanager
def on_cores(count: int) -> Iterator[None]:
    """Keep this thread, and the threads and processes that it starts, on the first `count` cores that it may use."""
    if not hasattr(os, "sched_setaffinity"):  # no Linux: where they run is not in our hands
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(sorted(before)[:count]))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def machine() -> dict[str, Any]:
    """Describe what this runs on."""
    cpu = platform.processor() or platform.machine()
    if (info := Path("/proc/cpuinfo")).is_file() and (found := re.search(r"model name\s*: (.*)", info.read_text())):
        cpu = found[1]
    packages = {}
    for name in PACKAGES:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            packages[name] = "not installed"
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    facts = {"cpu": cpu, "cores": os.cpu_count(), "system": f"{platform.system()} {platform.release()}"}
    return {**facts, "load_before": load, "python": platform.python_version(), **packages}


def publish(name: str, command: str, facts: dict[str, Any], rows: list[Row], folder: Path) -> Path:
    """Print the rows, and write them to `folder`/MACHINE-NAME.json."""
    for row in rows:
        print(row.line())
    print(", ".join(f"{key} {value}" for key, value in facts.items() if not isinstance(value, dict)))
    slug = re.sub(r"\W+", "-", f"{facts['cpu']} {facts['cores']} cores".lower()).strip("-")
    path = folder / f"{slug}-{name}.json"
    folder.mkdir(parents=True, exist_ok=True)
    content = {"name": name, "command": command, "machine": facts, "rows": [asdict(row) for row in rows]}
    write_atomic(path, (json.dumps(content, indent=1) + "\n").encode())
    print(path)
    return path
