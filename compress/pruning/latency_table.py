"""Latencies that were measured once: of uniform cuts of a model, beside the uncut one, on one kind of machine."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from compress.errors import InputError
from compress.files import read_json, text_digest, write_json
from compress.pruning.costs import Point

_VERSION = 1


class LatencyTable:
    """A file of shares of the uncut model's latency, by uniform cut; it grows with each one that is measured.

    `key` is all that the shares depend on: the model's shape, runtime, precision, batch, sequence, threads, machine class,
    versions. Another key is another file, so nothing measured elsewhere is ever read.
    """

    def __init__(self, folder: Path, key: Mapping[str, Any]) -> None:
        self._key = {"version": _VERSION, **key}
        self.path = folder / f"{text_digest(json.dumps(self._key, sort_keys=True))[:32]}.json"
        self._points: dict[str, float] = self._read()

    def get(self, point: Point, *, last: bool = False) -> float | None:
        """The share at a cut, of all layers or of the `last` one only, if it was measured."""
        return self._points.get(_name(point, last))

    def put(self, point: Point, share: float, *, last: bool = False) -> None:
        """Keep the share at a cut; the file is written whole or not at all."""
        self._points[_name(point, last)] = share
        write_json(self.path, {"key": self._key, "points": self._points})

    def _read(self) -> dict[str, float]:
        try:
            points = read_json(self.path)["points"]
            return {str(name): float(share) for name, share in points.items()}
        except (InputError, KeyError, TypeError, ValueError, AttributeError):
            return {}  # not there, or damaged: measured anew


def _name(point: Point, last: bool) -> str:
    return f"{point[0]}x{point[1]}{' last' if last else ''}"
