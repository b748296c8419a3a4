"""Files that make a CI system run a pipeline, and fail on its gate."""

import json
from importlib.metadata import PackageNotFoundError, distribution
from importlib.resources import files
from pathlib import Path
from typing import Literal, NamedTuple

from compress.errors import InputError

System = Literal["github", "gitlab"]
_PLACES: dict[System, str] = {"github": ".github/workflows/compress.yml", "gitlab": ".gitlab-ci.yml"}


class Workflow(NamedTuple):
    """What a CI system reads, and where."""

    path: Path
    text: str


def workflow(system: System, pipeline: Path, install: str | None = None) -> Workflow:
    """The file for a pipeline, at the top of the repository that the pipeline is in, or beside it where there is none.

    `install` is what pip installs on the runners; by default what is installed here, if that came from a repository.
    Raises: InputError if it is not said and cannot be told
    """
    install = install or _origin()
    if install is None:
        raise InputError(
            "--ci: where do the runners get compress from? Say what pip installs there: --install 'compress @ "
            "git+https://HOST/OWNER/compress@TAG'. The name alone is another project's on PyPI."
        )
    folder = pipeline.parent.resolve()
    top = next((parent for parent in (folder, *folder.parents) if (parent / ".git").exists()), folder)
    below = (folder / pipeline.name).relative_to(top)
    text = files("compress.run").joinpath(f"_{system}.yml").read_text(encoding="utf-8")
    values = {"PIPELINE": below.as_posix(), "RUNS": (below.parent / "runs").as_posix(), "INSTALL": install}
    for name, value in values.items():
        text = text.replace(f"@{name}@", json.dumps(value, ensure_ascii=False)[1:-1])
    shown = pipeline.parent if top == folder else top
    return Workflow(shown / _PLACES[system], text)


def _origin() -> str | None:
    """The repository or archive that compress was installed from, as pip takes it; None if that is an index or on this machine."""
    try:
        written = distribution("compress").read_text("direct_url.json")
    except PackageNotFoundError:
        return None
    found = json.loads(written or "{}")
    if found.get("url", "file:").startswith("file:"):
        return None
    if "vcs_info" in found:
        return f"compress @ {found['vcs_info']['vcs']}+{found['url']}@{found['vcs_info']['commit_id']}"
    return f"compress @ {found['url']}"
