"""What became of every file that a source has: used + bad + skipped = seen."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Int64

from alexnet.data.plan import Plan
from alexnet.errors import DataError, UsageError


@dataclass
class Account:
    """Counts and, for files not used, names and reasons.

    Attributes:
        skipped: Files that are no examples.
        used: Pictures by split and label.
        bad: Name, label and reason of pictures that could not be read.
        remarks: How many of those used were not taken as they are, by what was done.
    """

    skipped: list[tuple[str, str]]
    used: Counter[tuple[str, int]] = field(default_factory=Counter)
    bad: list[tuple[str, int, str]] = field(default_factory=list)
    remarks: Counter[str] = field(default_factory=Counter)

    def add(
        self,
        split: str,
        labels: Int64[np.ndarray, "n"],
        bad: list[tuple[str, int, str]],
        remarks: Mapping[str, int] | None = None,
    ) -> None:
        """Count some pictures of a split."""
        self.used.update((split, label) for label in labels.tolist())
        self.bad += bad
        self.remarks.update(remarks)

    def counts(self) -> dict[str, int]:
        """Count the files used, bad and skipped."""
        return {"used": self.used.total(), "bad": len(self.bad), "skipped": len(self.skipped)}

    def report(self) -> dict[str, Any]:
        """Tell all of it, for `report.json`."""
        lost = {"bad": [(name, why) for name, _, why in self.bad], "skipped": self.skipped}
        return {
            "seen": sum(self.counts().values()),
            **self.counts(),
            "reasons": {state: dict(Counter(why for _, why in files)) for state, files in lost.items()},
            "remarks": dict(sorted(self.remarks.items())),
            "files": [{"file": name, "state": state, "reason": why} for state in lost for name, why in lost[state]],
        }

    def refuse_empty(self, plan: Plan) -> None:
        """Refuse a class without any training picture, and a split without any picture."""
        for label, name in enumerate(plan.classes):
            if not self.used["train", label]:
                bad = [f"{file}: {reason}" for file, of, reason in self.bad if of == label]
                if not bad and "train" in plan.limit:
                    raise UsageError(f"the limit leaves class {name} no training picture: raise the limit of train")
                if not bad:
                    raise DataError(f"class {name} has no training picture: add some, or take the class out")
                why = f"none of {len(bad)} can be read, the first is {bad[0]}"
                raise DataError(f"class {name} has no training picture ({why}): mend the class, or take it out")
        for split in plan.counts:
            if not any(self.used[split, label] for label in range(len(plan.classes))):
                raise DataError(f"split {split} has no readable picture: mend it, or take it out")
