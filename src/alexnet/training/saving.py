"""When a learner is saved: after each epoch, every few minutes, and when it is stopped; and what that costs."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

from alexnet.errors import AlexNetError, Diverged, Interrupted
from alexnet.rotation import BEST
from alexnet.runs.run import Run
from alexnet.stopping import Stop, stop_at_signals
from alexnet.training.divergence import Guard, NotFinite
from alexnet.training.learner import Learner

# Minutes.
SAVE_EVERY = 5.0


class Saver:
    """Saves a learner into its run.

    Attributes:
        seconds: That saving took since they were last told.
    """

    def __init__(self, learner: Learner, run: Run, guard: Guard, every: float) -> None:
        """Begin.

        Args:
            learner: What is saved.
            run: Where to.
            guard: Knows whether a loss or gradient was not finite.
            every: Minutes between two saves; 0: after every update.
        """
        self.learner, self.run, self.guard, self.every = learner, run, guard, every
        self.seconds = 0.0
        self._last = time.monotonic()
        self._saved: tuple[int, int] | None = None

    @property
    def due(self) -> bool:
        """Whether it is time to save."""
        return time.monotonic() - self._last >= 60 * self.every

    def save(self) -> None:
        """Save all that is needed to go on, but nothing that is not finite.

        Raises:
            NotFinite: If the weights are not finite.
            AlexNetError: If it cannot be written; the checkpoint before is kept.
        """
        self.refuse_broken()
        with self._writing():
            self.run.save(self.learner.checkpoint(), self.learner.images_seen)
        self._saved = self.learner.epoch, self.learner.batch
        self._last = time.monotonic()

    def save_best(self) -> None:
        """Save the network alone, as the best so far."""
        with self._writing():
            self.learner.checkpoint(whole=False).write(self.run.path / BEST)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Take the time; say how to go on if the disk does not take what is written."""
        begun = time.perf_counter()
        try:
            yield
        except AlexNetError as error:
            way_out = f"what was saved before is kept: mend that, then alexnet resume {self.run.path}"
            raise AlexNetError(f"{error}; {way_out}") from error
        self.seconds += time.perf_counter() - begun

    def told(self) -> str:
        """Tell how long saving took since this was last asked."""
        seconds, self.seconds = self.seconds, 0.0
        return f"saved in {seconds:.1f} s"

    def refuse_broken(self) -> None:
        """Refuse to go on with weights that are not finite.

        Raises:
            NotFinite: If they are not.
        """
        self.guard.look()
        if not math.isfinite(value := self.learner.largest_weight().item()):
            raise NotFinite("largest weight", value, self.learner.batch)

    @contextmanager
    def leaving_well(self) -> Iterator[Stop]:
        """Let a signal stop the block and save, and let what is not finite end it with advice.

        Raises:
            Interrupted: After Ctrl-C, SIGTERM or SIGHUP, when the state is saved.
            Diverged: If something is not finite; the last checkpoint stays.
        """
        try:
            with stop_at_signals(self._leave) as stop:
                yield stop
        except NotFinite as bad:
            raise self._diverged(bad) from bad

    def _leave(self, number: int) -> None:
        """Save between two updates, unless that is done, and end with the signal's exit code."""
        if self._saved != (self.learner.epoch, self.learner.batch):
            self.save()
        seen = f"stopped after {self.learner.images_seen:,} images"
        error = Interrupted(f"{seen}; go on with: alexnet resume {self.run.path}")
        error.exit_code = 128 + number
        raise error

    def _diverged(self, bad: NotFinite) -> Diverged:
        """Tell where it happened, what is left, and what to try."""
        learner, run = self.learner, self.run
        if row := learner.window():
            run.journal.add_update(row)
        kept = f"the last good checkpoint is {run.latest()}" if run.has_checkpoint else "no checkpoint was saved yet"
        return Diverged(
            f"the {bad.what} is {bad.value} in epoch {learner.epoch + 1} after {bad.batch} updates, at rate "
            f"{learner.rate(bad.batch):.3g}; {kept}; train again, into a new --run, with --lr "
            f"{learner.recipe.lr / 10:g} or a longer --warmup-epochs"
        )
