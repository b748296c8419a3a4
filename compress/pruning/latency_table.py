"""Latencies that were measured once: of uniform cuts of a model, beside the uncut one, on one kind of machine."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from compress.files import text_digest
from compress.pruning.costs import Point
from compress.store import seal

_VERSION = 1


class LatencyTable:
    """A file of shares of the uncut model's latency, by uniform cut; it grows with each one that is measured.

    `key` is all that the shares depend on: the model's shape, runtime, precision, batch, sequence, threads, machine class,
    versions. Another key is another file, so nothing measured elsewhere is ever read.
    """

    def __init__(self, folder: Path, key: Mapping[str, Any], say: seal.Say = lambda *_: None) -> None:
        """What was measured before; `say` is told if the file is damaged, and everything is measured anew."""
        self._key = {"version": _VERSION, **key}
        self.path = folder / f"{text_digest(json.dumps(self._key, sort_keys=True))[:32]}{seal.SUFFIX}"
        self._points: dict[str, float] = (seal.kept(self.path, say) or {"points": {}})["points"]

    def get(self, point: Point, *, last: bool = False) -> float | None:
        """The share at a cut, of all layers or of the `last` one only, if it was measured."""
        return self._points.get(_name(point, last))

    def put(self, point: Point, share: float, *, last: bool = False) -> None:
        """Keep the share at a cut; the file is written whole or not at all."""
        self._points[_name(point, last)] = share
        seal.write(self.path, {"key": self._key, "points": self._points})


def _name(point: Point, last: bool) -> str:
    return f"{point[0]}x{point[1]}{' last' if last else ''}"
