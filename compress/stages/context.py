"""What every stage is given besides its settings and artifacts."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Context:
    """Where a stage works and whom it tells."""

    name: str
    """The step's name, such as `distill/tiny`."""
    out: Path
    """An empty folder that becomes the artifact when the stage returns."""
    work: Path
    """A folder that outlives an interruption: checkpoints and caches of this very step."""
    root: Path
    """The project's folder, which relative paths start from."""
    seed: int
    """Seed of everything random."""
    notify: Callable[[int, int, str], None]
    """Told `(done, total, note)` now and then."""
    tensorboard: Path | None = None
    """Where training curves go, if they are asked for."""
