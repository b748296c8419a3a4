"""INT8 exports of one fine-tuned classifier beside those of other tools: speed, accuracy, size, share of the core's peak.

All start from the same checkpoint. This program's exports are made by its own export stage. The others are ONNX Runtime's
`quantize_dynamic` with its defaults, on the graphs of both of PyTorch's exporters, Olive (its recipe for
BERT, dynamic and static), optimum-onnx (`avx512_vnni(is_static=False)`) and NNCF (OpenVINO's tutorial for BERT); each
works in its own environment. What they made is timed here, on one thread, in interleaved rounds, their files with the
runtimes' defaults. Ratios are against `quantize_dynamic`, with 95 % intervals over the rounds. Each row of the dev file is
answered by itself; points lost are against the checkpoint in PyTorch FP32, with the 95 % interval of the paired difference.

The share of the peak counts all of the model's products as if they were INT8 and none were left out, at 8 x 128 tokens,
against the fastest large product of 8-bit integers that ONNX Runtime or PyTorch does on this core.

    cd benchmarks/peers
    for tool in olive optimum nncf; do python -m venv ~/$tool && ~/$tool/bin/pip install -r requirements-$tool.txt; done
    cd ../..
    pip install -e '.[openvino,executorch]'
    python benchmarks/int8_speed.py --data fit.tsv --held held.tsv --dev dev.tsv --teacher runs/sst2/teacher \\
        --olive ~/olive/bin/python --optimum ~/optimum/bin/python --nncf ~/nncf/bin/python

Without `--teacher`, `examples/sst2/pipeline.yaml` trains one first. A tool whose environment is not given is left out.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from compress.bench import machine, timer
from compress.cli.main import code
from compress.config import settings
from compress.data.batches import Encoded, encode, feeds
from compress.data.sources import load
from compress.encoders import checkpoint
from compress.encoders.widths import Shape, shape_of
from compress.errors import CompressError, UnknownName
from compress.files import read_json
from compress.registry import TARGETS
from compress.stages import export
from compress.stages.context import Context
from compress.stages.material import tokenizer_of
from compress.statistics.paired import Cells, cells
from compress.targets import Export, named

ROOT = Path(__file__).parents[1]
SHAPES = ((1, 32), (1, 128), (8, 32), (8, 128))
LARGEST = SHAPES[-1]
CALIBRATION_ROWS = 300
REFERENCE = "quantize_dynamic"
OURS = (
    "onnxruntime-fp32",
    "onnxruntime-int8",
    "onnxruntime-int8-smooth_dynamic",
    "onnxruntime-mobile-int8",
    "openvino-int8",
    "executorch-int8",
)
PEERS = {
    REFERENCE: "here",
    "quantize_dynamic, dynamo": "here",
    "olive": "olive",
    "olive, static": "olive",
    "optimum-onnx": "optimum",
    "nncf": "nncf",
}
"""Whose environment each is made in."""


class Candidate(NamedTuple):
    """A deployable file and how it is opened."""

    target: str
    file: Path
    settings: Mapping[str, Any]
    size_bytes: int


class Figures(NamedTuple):
    """What was measured of a candidate."""

    accuracy: float
    cells: Cells
    """Its right answers beside the checkpoint's."""
    samples: Mapping[tuple[int, int], list[float]]
    """Milliseconds, by batch and sequence."""


def task_of(arguments: argparse.Namespace) -> settings.Task:
    """Calibration rows, rows that recipes judge by, rows of the accuracy."""
    files = {"train": arguments.data, "validation": arguments.held, "test": arguments.dev}
    data = settings.Data(**{split: str(file.resolve()) for split, file in files.items()})
    return settings.Task(
        type="text-classification", data=data, text=arguments.text, label=arguments.label, max_length=LARGEST[1]
    )


def trained(task: settings.Task, folder: Path) -> Path:
    """A checkpoint, fine-tuned by this program's own pipeline."""
    shutil.copyfile(ROOT / "examples" / "sst2" / "pipeline.yaml", folder / "pipeline.yaml")
    data = json.dumps({split: task.data.split(split) for split in ("train", "validation", "test")})
    told = [f"task.data={data}", f"task.text={task.text}", f"task.label={task.label}"]
    sets = [part for value in told for part in ("--set", value)]
    if left := code(["run", str(folder / "pipeline.yaml"), "--until", "teacher", *sets]):
        raise SystemExit(left)
    return folder / "runs" / "sst2" / "teacher"


def ours(ids: Sequence[str], task: settings.Task, teacher: Path, folder: Path) -> Iterator[tuple[str, Candidate | str]]:
    """What the export stage makes of the checkpoint; or why an export is not made here."""
    for name in ids:
        out, work = folder / "ours" / name, folder / "work" / name
        try:
            wanted = named(name)
            if reason := TARGETS.load(wanted.target).unavailable():
                yield name, reason
                continue
            if not (out / export.DESCRIPTION).is_file():
                out.mkdir(parents=True, exist_ok=True)
                work.mkdir(parents=True, exist_ok=True)
                asked = settings.Export(target=wanted.target, precision=(wanted.precision,), recipe=wanted.recipe)
                context = Context("export/teacher", out, work, Path("/"), 0, lambda *_: None)
                export.export(export.Settings(task, asked), export.Needs(teacher), context)
                shutil.rmtree(work)
                print(f"{name}: made", flush=True)
        except UnknownName:
            yield name, "there is no such target or precision here"
            continue
        except CompressError as error:
            yield name, str(error)
            continue
        for built in read_json(out / export.DESCRIPTION)["files"]:
            if Export(wanted.target, built["precision"], built["recipe"]) == wanted:
                yield name, Candidate(wanted.target, out / built["file"], built["settings"], built["size_bytes"])


def peer(name: str, python: str, told: Mapping[str, Any], folder: Path) -> Candidate | str:
    """What another tool makes in a process of its own, or the last line of its error."""
    out, task = folder / "peers" / name, folder / "task.json"
    answer = out.with_suffix(".json")
    if answer.is_file():
        return deployable(json.loads(answer.read_text()))
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    task.write_text(json.dumps({**told, "peer": name, "out": str(out)}))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "OPENVINO_TELEMETRY": "0"}
    environment.pop("PYTHONPATH", None)
    command = [python, str(Path(__file__).parent / "peers" / "quantize.py"), str(task)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    answer.write_text(done.stdout.strip().splitlines()[-1])
    return deployable(json.loads(answer.read_text()))


def deployable(made: Mapping[str, Any]) -> Candidate:
    """What a peer's answer is about."""
    print(f"{made['peer']}: made in {made['seconds']:.0f} s with {made['versions']}", flush=True)
    file = Path(made["file"])
    parts = (file, file.with_suffix(".bin"), file.with_name(f"{file.name}.data"))
    size = sum(part.stat().st_size for part in parts if part.is_file())
    return Candidate("openvino" if file.suffix == ".xml" else "onnxruntime", file, {}, size)


def opened(candidate: Candidate) -> Any:
    """A session on one thread."""
    if candidate.target not in TARGETS.names():
        raise CompressError(f"there is no target `{candidate.target}` here to run it with.")
    return TARGETS.load(candidate.target).open(candidate.file, candidate.settings, threads=1)


def answers(session: Any, rows: Encoded) -> NDArray[np.int64]:
    """The label of each row, which is asked for by itself: dynamic quantization looks at the whole batch."""
    found = np.zeros(len(rows), np.int64)
    for chosen, feed in feeds(rows, 1):
        found[chosen] = session(feed).argmax(-1)
    return found


def shaped(batch: int, sequence: int, vocabulary: int) -> dict[str, NDArray[np.int64]]:
    """A batch of exactly this shape, of random tokens, without padding."""
    ids = np.random.default_rng(0).integers(vocabulary // 2, vocabulary, (batch, sequence))
    return {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}


def products(shape: Shape) -> int:
    """Operations of the layers' matrix products in one call of the largest shape, multiplications and additions."""
    batch, sequence = LARGEST
    of_token = sum(
        4 * shape.hidden**2 + 2 * shape.hidden * neurons + 2 * sequence * shape.hidden for neurons in shape.intermediate
    )
    return 2 * of_token * batch * sequence


def peaks() -> dict[tuple[str, int], Callable[[], object]]:
    """Large products of 8-bit integers, by what does them and by their operations."""
    import onnx
    import onnxruntime
    import torch

    calls: dict[tuple[str, int], Callable[[], object]] = {}
    random, options = np.random.default_rng(0), onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    for size in (512, 1024, 2048):
        weights = random.integers(-127, 128, (size, size), np.int8)
        values = random.integers(0, 256, (1024, size), np.uint8)
        graph = onnx.helper.make_graph(
            [onnx.helper.make_node("MatMulInteger", ["values", "weights"], ["sums"])],
            "product",
            [onnx.helper.make_tensor_value_info("values", onnx.TensorProto.UINT8, values.shape)],
            [onnx.helper.make_tensor_value_info("sums", onnx.TensorProto.INT32, values.shape)],
            [onnx.numpy_helper.from_array(weights, "weights")],
        )
        opset = [onnx.helper.make_opsetid("", 20)]
        model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=10).SerializeToString()
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        operations = 2 * 1024 * size * size
        calls["onnxruntime", operations] = partial(session.run, None, {"values": values})
        left, right = torch.from_numpy(values.view(np.int8)), torch.from_numpy(weights)
        calls["torch", operations] = partial(torch._int_mm, left, right)
    return calls


def main() -> None:
    """Make everything, measure it and print the table."""
    arguments = parsed()
    task = task_of(arguments)
    with ExitStack() as kept:
        folder = (arguments.work or Path(kept.enter_context(tempfile.TemporaryDirectory()))).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        teacher = arguments.teacher.resolve() if arguments.teacher else trained(task, folder)
        made = dict(candidates(arguments, task, teacher, folder))
        rows = encode(load(task, Path("/"), "test"), tokenizer_of(teacher), task, token_types=True)
        clock = time.process_time_ns if arguments.busy else time.perf_counter_ns
        figures, peak = measured(made, rows, teacher, arguments.rounds, clock)
        table(made, figures, products(shape_of(checkpoint.load(teacher).config)) / peak)
    verdict(figures)
    described = machine.describe()
    counted = "processor time" if arguments.busy else "wall time"
    print(f"\n{described.machine_class}, 1 thread, {counted}, {arguments.rounds} rounds")
    print(machine.versions(("torch", "transformers", "onnxruntime", "openvino", "nncf", "executorch")))


def candidates(
    arguments: argparse.Namespace, task: settings.Task, teacher: Path, folder: Path
) -> Iterator[tuple[str, Candidate | str]]:
    """Everything that is to be measured, the peers first; or why it is not there."""
    rows = encode(load(task, Path("/"), "train"), tokenizer_of(teacher), task)
    chosen = rows.part(np.random.default_rng(0).permutation(len(rows))[:CALIBRATION_ROWS].tolist())
    np.savez(folder / "rows.npz", ids=chosen.ids, starts=chosen.starts)
    told = {
        "teacher": str(teacher),
        "rows": str(folder / "rows.npz"),
        "train": task.data.train,
        "text": task.text,
        "label": task.label,
    }
    pythons = {"here": sys.executable, **{tool: getattr(arguments, tool) for tool in ("olive", "optimum", "nncf")}}
    for name, tool in PEERS.items():
        if pythons[tool] is not None:
            yield name, peer(name, str(pythons[tool]), told, folder)
    yield from ours(arguments.exports, task, teacher, folder)


def measured(
    made: dict[str, Candidate | str], rows: Encoded, teacher: Path, rounds: int, clock: timer.Clock
) -> tuple[dict[str, Figures], float]:
    """The figures of all that can be opened, and the peak in operations a millisecond; why others can't is put in `made`."""
    told, samples, peak = {}, dict[tuple[int, int], dict[Any, list[float]]](), 0.0
    with timer.pin(1), ExitStack() as stack:
        whole = answers(opened(Candidate("pytorch", teacher, {}, 0)), rows)
        sessions = dict(sessions_of(made, stack))
        for name, session in sessions.items():
            told[name] = answers(session, rows)
            print(f"{name}: {len(rows)} rows answered", flush=True)
        for shape in SHAPES:
            feed = shaped(*shape, int(rows.ids.max()))
            calls: dict[Any, Callable[[], object]] = {
                name: partial(session, feed) for name, session in sessions.items()
            }
            large = peaks() if shape == LARGEST else {}
            samples[shape] = timer.interleave({**calls, **large}, rounds=rounds, seed=0, repeat=2, clock=clock)
            peak = max((key[1] / np.median(samples[shape][key]) for key in large), default=0.0)
            print(f"timed at {shape[0]} x {shape[1]}", flush=True)
    return {
        name: Figures(
            float((own == rows.labels).mean()),
            cells(rows.labels.tolist(), own.tolist(), whole.tolist()),
            {shape: samples[shape][name] for shape in SHAPES},
        )
        for name, own in told.items()
    }, peak


def sessions_of(made: dict[str, Candidate | str], stack: ExitStack) -> Iterator[tuple[str, Any]]:
    """A session of every file that can be opened, which the stack closes; why another can't is put in its place."""
    for name, candidate in made.items():
        if isinstance(candidate, Candidate):
            try:
                session = opened(candidate)
            except CompressError as error:
                made[name] = str(error)
            else:
                stack.callback(session.close)
                yield name, session


def faster(figures: Mapping[str, Figures], name: str, other: str, shape: tuple[int, int]) -> tuple[float, float, float]:
    """How many times faster one is than the other, and the interval."""
    return timer.ratio(figures[other].samples[shape], figures[name].samples[shape], turn=2, seed=0)


def table(made: Mapping[str, Candidate | str], figures: Mapping[str, Figures], least_ms: float) -> None:
    """Print everything; `least_ms` is what the largest shape would take at the peak."""
    cells = "".join(f"{f'{batch} x {sequence}: ms, ratio':>31}" for batch, sequence in SHAPES)
    print(f"\n{'':<26}{'MB':>7}{'accuracy':>10}{'points':>16}{cells}{'of peak':>9}")
    for name, candidate in made.items():
        if isinstance(candidate, str):
            print(f"{name:<26}   none: {candidate}")
            continue
        own = figures[name]
        row = f"{name:<26}{candidate.size_bytes / 1e6:7.1f}{own.accuracy:10.2%}"
        low, high = own.cells.interval(0.975)
        row += f"{100 * own.cells.difference:+9.2f} ± {50 * (high - low):.2f}"
        for shape in SHAPES:
            value, low, high = faster(figures, name, REFERENCE, shape)
            row += f"{np.median(own.samples[shape]):10.2f}{value:7.2f} ({low:.2f}-{high:.2f})"
        print(f"{row}{least_ms / np.median(own.samples[LARGEST]):9.1%}")


def verdict(figures: Mapping[str, Figures]) -> None:
    """Print how ONNX Runtime's export stands beside each tool that makes such, and the best of ours beside the best of theirs."""
    theirs = [name for name in figures if name in PEERS]
    own = [name for name in figures if name not in PEERS]
    for other in (name for name in theirs if "onnxruntime-int8" in own and PEERS[name] != "nncf"):
        ratios = [faster(figures, "onnxruntime-int8", other, shape) for shape in SHAPES]
        listed = ", ".join(f"{value:.2f} ({low:.2f}-{high:.2f})" for value, low, high in ratios)
        lost = figures["onnxruntime-int8"].cells.difference - figures[other].cells.difference
        print(f"onnxruntime-int8 beside {other}: {listed} times as fast, {100 * lost:+.2f} points")
    for shape in SHAPES if own and theirs else ():
        mine, other = (min(names, key=lambda name: np.median(figures[name].samples[shape])) for names in (own, theirs))
        value, low, high = faster(figures, mine, other, shape)
        print(f"best at {shape[0]} x {shape[1]}: {mine} {value:.2f} ({low:.2f}-{high:.2f}) times as fast as {other}")


def parsed() -> argparse.Namespace:
    """The arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="TSV file of training rows, to calibrate with")
    parser.add_argument("--held", type=Path, required=True, help="another one, by which recipes choose")
    parser.add_argument("--dev", type=Path, required=True, help="TSV file of the rows that accuracies are of")
    parser.add_argument("--text", default="sentence", help="their column of the text")
    parser.add_argument("--label", default="label", help="their column of the label")
    parser.add_argument("--teacher", type=Path, help="fine-tuned BERT folder")
    for tool in ("olive", "optimum", "nncf"):
        parser.add_argument(f"--{tool}", type=Path, help=f"Python of the environment of requirements-{tool}.txt")
    parser.add_argument("--exports", nargs="+", default=OURS, help="ours, as reports name them")
    parser.add_argument("--rounds", type=int, default=60, help="interleaved rounds at each shape")
    parser.add_argument("--busy", action="store_true", help="others use this machine too: count processor time alone")
    parser.add_argument("--work", type=Path, help="folder that keeps what is made; what lies there is only measured")
    return parser.parse_args()


if __name__ == "__main__":
    main()
