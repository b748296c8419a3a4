"""Our GitHub workflows, and those that `compress init --ci` writes, are what GitHub and GitLab take."""

import re
from pathlib import Path
from typing import Any

import actions
import pytest
from ruamel.yaml import YAML

from compress.run import ci

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
INSTALL = "compress @ git+https://example.com/owner/compress@v1"

STEP = {"github", "needs", "strategy", "matrix", "job", "runner", "env", "vars", "secrets", "steps", "inputs"}
ALLOWED = {  # https://docs.github.com/en/actions/reference/workflows-and-actions/contexts#context-availability
    r"concurrency\..*": {"github", "inputs", "vars"},
    r"on\.workflow_call\.outputs\.[\w-]+\.value": {"github", "jobs", "vars", "inputs"},
    r"jobs\.\w+\.runs-on": {"github", "needs", "strategy", "matrix", "vars", "inputs"},
    r"jobs\.\w+\.env\.\w+": {"github", "needs", "strategy", "matrix", "vars", "secrets", "inputs"},
    r"jobs\.\w+\.outputs\.[\w-]+": STEP,
    r"jobs\.\w+\.steps\.\d+\.(env\.\w+|with\.[\w-]+|run|name)": STEP,
    r"jobs\.\w+\.steps\.\d+\.if": STEP - {"secrets"},
}
JOB = {"runs-on", "needs", "if", "permissions", "env", "defaults", "outputs", "strategy", "timeout-minutes", "steps"}


def yaml(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def github(folder: Path, install: str = INSTALL) -> Any:
    return yaml(ci.workflow("github", folder / "pipeline.yaml", install).text)


@pytest.fixture(params=[*SHIPPED, "init"], ids=lambda found: getattr(found, "stem", found))
def workflow(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return github(tmp_path) if request.param == "init" else yaml(request.param.read_text(encoding="utf-8"))


def test_the_keys_are_githubs(workflow: Any) -> None:
    assert set(workflow) <= {"name", "on", "permissions", "concurrency", "env", "defaults", "jobs"}
    assert set(workflow["on"]) <= {"pull_request", "push", "workflow_dispatch", "workflow_call"}
    for job in workflow["jobs"].values():
        assert {"runs-on", "steps"} <= set(job) <= JOB
        ids = [step["id"] for step in job["steps"] if "id" in step]
        assert len(set(ids)) == len(ids)
        for step in job["steps"]:
            assert ("run" in step) != ("uses" in step)
            assert set(step) <= {"id", "if", "name", "uses", "run", "with", "env", "timeout-minutes"}
            assert ("with" in step) <= ("uses" in step)


def test_actions_are_githubs_own_at_a_major_version(workflow: Any) -> None:
    for job in workflow["jobs"].values():
        for step in job["steps"]:
            if "uses" in step:
                assert re.fullmatch(r"actions/[a-z/-]+@v\d+", step["uses"])


def test_expressions_name_what_is_there(workflow: Any) -> None:
    call = (workflow["on"].get("workflow_call") or {}) if isinstance(workflow["on"], dict) else {}
    for path, expression in actions.expressions(workflow):
        place = ".".join(path)
        allowed = next(found for pattern, found in ALLOWED.items() if re.fullmatch(pattern, place))
        code = re.sub(r"'[^']*'", "''", expression)
        for name, rest in re.findall(r"(?<![.\w-])([a-z]+)\.([\w.-]+)", code):
            assert name in allowed, f"{place}: {name}"
            parts = rest.split(".")
            if name == "inputs":
                assert parts[0] in call["inputs"]
            elif name == "env":
                assert parts[0] in workflow["jobs"][path[1]]["env"]
            elif name == "jobs":
                assert parts[0] in workflow["jobs"]
                assert parts[2] in workflow["jobs"][parts[0]]["outputs"]
            elif name == "steps":
                steps = workflow["jobs"][path[1]]["steps"]
                before = steps[: int(path[3])] if path[2] == "steps" else steps
                assert parts[0] in [step.get("id") for step in before], f"{place}: no step {parts[0]} before it"
        assert not re.findall(r"github\.event\.(?!pull_request\.number)", code), "what others write is no expression"


def test_no_expression_stands_in_a_script(workflow: Any) -> None:
    """A branch's name would be read as shell."""
    assert not [path for path, _ in actions.expressions(workflow) if path[-1] == "run"]


def test_the_reusable_one_does_what_init_writes(tmp_path: Path) -> None:
    own, reusable = github(tmp_path), yaml((ROOT / ".github" / "workflows" / "compress.yml").read_text())
    assert own["jobs"]["gate"]["steps"] == reusable["jobs"]["gate"]["steps"]
    assert set(own["jobs"]["gate"]["env"]) == set(reusable["jobs"]["gate"]["env"])
    defaults = {name: given.get("default") for name, given in reusable["on"]["workflow_call"]["inputs"].items()}
    for name, text in reusable["jobs"]["gate"]["env"].items():
        default = actions.evaluated(text[3:-2], {"inputs": defaults})
        assert default == (own["jobs"]["gate"]["env"][name] if name != "INSTALL" else None)


def test_init_asks_for_no_more_rights_than_a_comment_takes(tmp_path: Path) -> None:
    assert github(tmp_path)["permissions"] == {"contents": "read", "pull-requests": "write"}


def test_gitlabs_is_a_job_that_keeps_the_store_and_shows_the_checks(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    made = ci.workflow("gitlab", tmp_path / "shop" / "pipeline.yaml", INSTALL)
    assert made.path == tmp_path / ".gitlab-ci.yml"
    ((name, job),) = yaml(made.text).items()
    assert name == "compress"
    assert set(job) == {"image", "interruptible", "rules", "variables", "cache", "script", "artifacts"}
    assert job["variables"]["PIPELINE"] == "shop/pipeline.yaml"
    assert job["cache"]["paths"][0] == "shop/runs/"
    assert job["artifacts"]["paths"] == ["gate/", "shop/runs/*/report/"]
    assert (job["artifacts"]["when"], job["cache"]["when"]) == ("always", "always")
    assert job["artifacts"]["reports"]["junit"] in job["script"][-1]
    assert all(isinstance(line, str) for line in job["script"])
    used = set(re.findall(r"\$([A-Z_]+)", "\n".join(job["script"])))
    assert used <= set(job["variables"])


def test_the_readme_calls_the_reusable_one_with_inputs_that_it_has() -> None:
    (block,) = re.findall(r"^```yml\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    (job,) = yaml(block)["jobs"].values()
    assert job["uses"] == "OWNER/compress/.github/workflows/compress.yml@TAG"
    declared = yaml((ROOT / ".github" / "workflows" / "compress.yml").read_text())["on"]["workflow_call"]["inputs"]
    assert {name for name, given in declared.items() if given.get("required")} <= set(job["with"]) <= set(declared)
    assert job["permissions"] == {"contents": "read", "pull-requests": "write"}
