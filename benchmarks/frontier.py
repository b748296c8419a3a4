"""How small and fast students get at which accuracy: a pipeline with several seeds, beside the teacher in ONNX Runtime FP32.

    python benchmarks/frontier.py --seeds 0 1 2 --set 'task.data={train: /data/fit.tsv, …}'

Runs `examples/sst2/frontier.yaml`, or the pipeline given, once a seed, each in a folder of its own below `--out`, where
an interrupted one goes on. Prints for each student the share of the teacher's accuracy it keeps, on the test rows and
through its runtime, how many times faster and smaller its file is, by seed and in the middle.
"""

import argparse
import shutil
import statistics
from collections import defaultdict
from pathlib import Path
from typing import Any

from compress.cli.main import code
from compress.report import record

ROOT = Path(__file__).parents[1]
REFERENCE = ("onnxruntime", "fp32")


def point(report: Path, precision: str) -> dict[str, tuple[float, float, float, float]]:
    """For each student its accuracy, the share of the teacher's that it is, and how many times faster and smaller."""
    found = record.load(report)
    variants: dict[Any, Any] = {(one.model, one.runtime, one.precision): one for one in found.variants}
    teacher = variants["teacher", *REFERENCE]
    metric = next(iter(teacher.metrics))
    points = {}
    for (model, runtime, kind), one in variants.items():
        if model != "teacher" and (runtime, kind) == ("onnxruntime", precision):
            points[model] = (
                one.metrics[metric],
                one.metrics[metric] / teacher.metrics[metric],
                teacher.latency[0].p50_ms / one.latency[0].p50_ms,
                teacher.size_bytes / one.size_bytes,
            )
    return points


def main() -> None:
    """Run the seeds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pipeline", type=Path, default=ROOT / "examples" / "sst2" / "frontier.yaml")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as for `compress run`")
    parser.add_argument("--precision", default="int8", help="of the students' files")
    parser.add_argument("--out", type=Path, default=Path("frontier"), help="folder of the runs")
    arguments = parser.parse_args()
    found: dict[str, list[tuple[float, float, float, float]]] = defaultdict(list)
    for seed in arguments.seeds:
        folder = arguments.out / f"seed-{seed}"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(arguments.pipeline, folder / "pipeline.yaml")
        assigned = [part for value in (*arguments.set, f"seed={seed}") for part in ("--set", value)]
        if left := code(["run", str(folder / "pipeline.yaml"), *assigned]):
            raise SystemExit(left)
        [report] = folder.glob("runs/*/report/report.json")
        for student, figures in point(report, arguments.precision).items():
            found[student].append(figures)
            accuracy, kept, faster, smaller = figures
            print(
                f"seed {seed}, {student}: accuracy {accuracy:.2%}, kept {kept:.2%}, {faster:.1f} times faster, "
                f"{smaller:.1f} times smaller",
                flush=True,
            )
    for student, runs in found.items():
        accuracy, kept, faster, smaller = (statistics.median(values) for values in zip(*runs, strict=True))
        print(
            f"{student}, median of {len(runs)}: accuracy {accuracy:.2%}, kept {kept:.2%}, {faster:.1f} times faster, "
            f"{smaller:.1f} times smaller"
        )


if __name__ == "__main__":
    main()
