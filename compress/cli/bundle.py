"""`compress bundle`: a folder to serve, send or upload, of one export of a run."""

from pathlib import Path
from typing import Annotated

import typer


def bundle(
    export: Annotated[
        Path, typer.Argument(metavar="EXPORT", help="The folder of an export: runs/NAME/export/STUDENT/TARGET.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The bundle's folder; bundle/STUDENT/TARGET in the run if left out."),
    ] = None,
    precision: Annotated[
        list[str] | None,
        typer.Option("--precision", help="Take only this precision. Repeatable."),
    ] = None,
    triton: Annotated[
        bool, typer.Option("--triton", help="Lay the model files out as a Triton model repository.")
    ] = False,
    license: Annotated[
        str | None, typer.Option("--license", metavar="SPDX", help="The licence; that of the weights if left out.")
    ] = None,
) -> int:
    """Bundle an export: model, tokenizer, labels, preprocessing, a script that answers, a model card, SHA-256 digests."""
    from compress.run.bundle import Asked
    from compress.run.bundle import bundle as made
    from compress.store import artifact
    from compress.units import size

    folder = made(export, out, Asked(tuple(precision or ()), triton, license))
    finished = artifact.read(folder)
    files = finished.manifest.files if finished else {}
    typer.echo(f"Wrote {folder}: {len(files)} files, {size(sum(file['size'] for file in files.values()))}.")
    return 0
