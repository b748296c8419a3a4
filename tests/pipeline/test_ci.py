"""`examples/ci` from end to end, as its workflow runs it: a first run becomes the baseline, a harmless change passes, a harmful one fails.

Then GitLab's file on the same store. Each run is on a fresh checkout, with what the cache kept.
"""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree as XML

import actions
import pytest
from ruamel.yaml import YAML

from compress.cli.main import code
from compress.report import record

pytestmark = pytest.mark.timeout(900)  # three runs, each in processes of its own

EXAMPLE = Path(__file__).parents[2] / "examples" / "ci"
INSTALL = "compress @ git+https://github.com/OWNER/compress@v0.1.0"
BASELINE = "  baseline: reports/helpdesk.json\n"


def yaml(path: Path) -> Any:
    return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


class History(NamedTuple):
    """What happened, run after run."""

    shop: Path
    place: Path
    first: actions.Done
    harmless: actions.Done
    harmful: actions.Done
    fork: actions.Done


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    top = tmp_path_factory.mktemp("ci")
    shop, place = top / "shop", top / "place"
    shutil.copytree(EXAMPLE, shop, ignore=shutil.ignore_patterns("runs", "gate", "helpdesk.*"))
    place.mkdir()
    runner = actions.Runner(yaml(shop / ".github" / "workflows" / "compress.yml"), shop, place)
    edit(shop / "pipeline.yaml", BASELINE, "")
    first = runner.run()
    report = place / "compress-report-pipeline.yaml-1" / "report" / "report.json"
    assert code(["baseline", "accept", str(report), "--to", str(shop / "reports")]) == 0
    edit(shop / "pipeline.yaml", "gate:\n", f"# more passes\ngate:\n{BASELINE}")
    edit(shop / "students" / "one-layer.yaml", "epochs: 3", "epochs: 4")
    harmless = runner.run()
    edit(shop / "students" / "one-layer.yaml", "source: none", "source: none\nstart: random")
    edit(shop / "students" / "one-layer.yaml", "learning_rate: 1e-3", "learning_rate: 1e-9")
    harmful = runner.run()
    fork = runner.run(READ_ONLY="1")
    return History(shop, place, first, harmless, harmful, fork)


@pytest.mark.parametrize(
    ("system", "file"), [("github", ".github/workflows/compress.yml"), ("gitlab", ".gitlab-ci.yml")]
)
def test_the_example_holds_what_init_writes(tmp_path: Path, system: str, file: str) -> None:
    (tmp_path / "pipeline.yaml").write_text("name: helpdesk\n")
    assert code(["init", str(tmp_path), "--ci", system, "--install", INSTALL]) == 0
    assert (tmp_path / file).read_text() == (EXAMPLE / file).read_text()


def test_the_baseline_that_is_shipped_is_of_the_shipped_rows() -> None:
    found = record.load(EXAMPLE / "reports" / "helpdesk.json")
    assert found.data.test.rows == len((EXAMPLE / "data" / "test.tsv").read_text().splitlines()) - 1
    assert found.rows == ()


def test_the_first_run_passes(history: History) -> None:
    done = history.first
    assert done.code == 0, done.log
    assert set(done.outcomes.values()) == {"success"}
    assert done.outputs["gate.exit-code"] == "0"
    assert "::notice title=Gate passed::" in done.log
    assert (history.place / "installed").read_text().splitlines()[0] == INSTALL


def test_a_harmless_change_passes_against_the_baseline(history: History) -> None:
    done = history.harmless
    assert done.code == 0, done.log
    assert "+ distill/small" in done.log
    assert "+ teacher" not in done.log, "the cache has it"
    verdict = json.loads((history.place / "compress-report-pipeline.yaml-2" / "gate" / "verdict.json").read_text())
    assert verdict["baseline"]["name"] == "helpdesk"
    assert verdict["answer"] == "pass"


def test_a_harmful_change_fails(history: History) -> None:
    done = history.harmful
    assert done.code == 1, done.log
    assert done.outcomes["run"] == "success"
    assert done.outcomes["gate"] == "failure"
    assert done.outputs["gate.exit-code"] == "1"
    assert "The gate failed: something is worse than allowed." in done.log
    errors = [line for line in done.log.splitlines() if line.startswith("::error ")]
    assert any(",title=Gate failed%3A accuracy.max_drop of small" in line for line in errors)
    assert all(line.startswith("::error file=pipeline.yaml,line=") for line in errors)
    failures = (
        XML.parse(history.place / "compress-report-pipeline.yaml-3" / "gate" / "junit.xml").getroot().iter("failure")
    )
    assert len(list(failures)) == len(errors)
    assert "✗ Fail." in done.summary


def test_what_was_made_is_kept_though_the_gate_failed(history: History) -> None:
    assert "+ distill/small" in history.harmful.log
    assert "+ distill/small" not in history.fork.log


def test_one_comment_is_written_and_then_edited(history: History) -> None:
    calls = [line for line in (history.place / "gh").read_text().splitlines() if "--method" in line]
    written = "api --silent --method {} repos/owner/shop/issues/{} -F body=@gate/comment.md"
    assert calls[0] == written.format("POST", "5/comments")
    assert calls[1:3] == [written.format("PATCH", "comments/77")] * 2
    comment = (history.place / "comment").read_text()
    assert comment.startswith("<!-- compress gate: helpdesk -->\n# helpdesk\n\n**✗ Fail.**")


def test_a_token_that_may_not_write_leaves_the_summary(history: History) -> None:
    done = history.fork
    assert "::notice title=No comment::" in done.log
    assert "HTTP 403" in done.log
    assert done.outcomes["Comment the report on the pull request"] == "success"
    assert "✗ Fail." in done.summary
    assert done.code == 1


def test_the_comment_is_found_among_others(history: History) -> None:
    if shutil.which("jq") is None:
        pytest.skip("jq is not installed")
    mine = {"id": 77, "user": {"type": "Bot"}, "body": (history.place / "comment").read_text()}
    others = [
        mine | {"id": 1, "user": {"type": "User"}},
        mine | {"id": 2, "body": "> <!-- compress gate: helpdesk -->"},
    ]
    line = next(line for line in (history.place / "gh").read_text().splitlines() if "--paginate" in line)
    query = line.partition(" --jq ")[2]
    given = json.dumps([*others, mine])
    found = subprocess.run(["jq", query], input=given, capture_output=True, text=True, check=True).stdout
    assert found == "77\n"


def test_another_base_is_not_comparable_and_says_so(history: History, tmp_path: Path) -> None:
    report = history.place / "compress-report-pipeline.yaml-2" / "report" / "report.json"
    other = record.load(report)
    data = other.data.model_copy(update={"test": other.data.test.model_copy(update={"sha256": "other rows"})})
    record.save(other.model_copy(update={"data": data}), tmp_path / "other.json")
    step = next(
        step
        for step in yaml(EXAMPLE / ".github" / "workflows" / "compress.yml")["jobs"]["gate"]["steps"]
        if step.get("id") == "gate"
    )
    seen = actions.environment(
        tmp_path / "place",
        PIPELINE=str(report),
        BASELINE=str(tmp_path / "other.json"),
        GITHUB_OUTPUT=str(tmp_path / "output"),
    )
    ended, log = actions.bash(step["run"], tmp_path, seen)
    assert ended == 3
    assert "Not comparable: it can neither be shown" in log
    assert (tmp_path / "output").read_text() == "exit-code=3\n"


def test_gitlab_runs_it_too(history: History) -> None:
    job = yaml(history.shop / ".gitlab-ci.yml")["compress"]
    variables = {name: text.replace("$CI_PROJECT_DIR", str(history.shop)) for name, text in job["variables"].items()}
    ended, log = actions.bash(
        "\n".join(job["script"]), history.shop, actions.environment(history.place / "gitlab", **variables)
    )
    assert ended == 1, log
    assert "fail: small" in log
    for path in job["artifacts"]["paths"]:
        assert list(history.shop.glob(path.rstrip("/")))
    report = history.shop / job["artifacts"]["reports"]["junit"]
    assert XML.parse(report).getroot().find(".//failure") is not None
