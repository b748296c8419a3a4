"""Another package that adds things through entry points, for tests."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from compress import registry


def install(
    patch: pytest.MonkeyPatch, folder: Path, entry_points: str, modules: Mapping[str, str], version: str = "1.0"
) -> None:
    """Install the distribution `acme-kit` below an empty folder, for as long as the patch holds."""
    described = folder / "acme_kit-1.dist-info"
    described.mkdir(parents=True)
    (described / "METADATA").write_text(f"Metadata-Version: 2.1\nName: acme-kit\nVersion: {version}\n")
    (described / "entry_points.txt").write_text(entry_points)
    for name, text in modules.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    patch.syspath_prepend(folder)
    for known in [value for value in vars(registry).values() if isinstance(value, registry.Registry)]:
        patch.setattr(known, "_plugins", type(known)._plugins.func(known))
