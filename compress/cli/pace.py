"""How fast a work goes, and when that is worth telling again."""

from collections.abc import Callable


class Pace:
    """Rate and remaining time of the running work, from where it was heard of first: a run that goes on starts there."""

    def __init__(self, clock: Callable[[], float], pause_s: float) -> None:
        """`due` once every `pause_s` seconds."""
        self._clock, self._pause_s = clock, pause_s
        self.rate: float | None = None
        """Units of work a second; None as long as none was done."""
        self.left_s: float | None = None
        """Seconds that the rest takes at this rate."""
        self.begin()

    def begin(self) -> None:
        """A step begins."""
        self._told = self._clock()
        self._first = (self._told, 0, 0)
        """When the running work was heard of first, how far it was, and how much it is in all."""

    def due(self, done: int, total: int) -> bool:
        """Whether to tell of it now; rate and remaining time are then up to date."""
        now = self._clock()
        if self._first[2] != total:
            self._first = (now, done, total)
        if now - self._told < self._pause_s:
            return False
        self._told = now
        begun, before, _ = self._first
        self.rate = (done - before) / (now - begun) if done > before and now > begun else None
        self.left_s = (total - done) / self.rate if self.rate else None
        return True
