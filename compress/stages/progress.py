"""How far a stage of many steps is."""

from compress.bench import timer


class Progress:
    """Counts the steps that are done and tells it."""

    def __init__(self, notify: timer.Notify, total: int) -> None:
        self._notify, self._total, self._done = notify, total, 0

    def __call__(self, note: str) -> None:
        self._done += 1
        self._notify(self._done, self._total, note)

    def within(self, what: str) -> timer.Notify:
        """Tells how far a step is that is not done yet."""
        return lambda done, total, unit: self._notify(self._done, self._total, f"{what}, {unit} {done} of {total}")
