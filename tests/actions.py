"""GitHub's runner, as far as our workflows need it: expressions, steps in bash, and what the actions that they use do."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

_CONTEXT = re.compile(r"\b(env|github|inputs|jobs|matrix|runner|steps)((?:\.[\w-]+)+)")
_STATUS = re.compile(r"\b(always|cancelled|failure|success)\(\)")
EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")

_PYTHON = """#!/usr/bin/env bash
case "$*" in "-m pip install "*) printf '%s\\n' "${@:4}" >> "$PLACE/installed" ;; *) exec "$REAL_PYTHON" "$@" ;; esac
"""
_COMPRESS = """#!/usr/bin/env bash
exec "$REAL_PYTHON" -m compress "$@"
"""
_GH = """#!/usr/bin/env bash
printf '%s\\n' "$*" >> "$PLACE/gh"
case "$*" in
  *--paginate*) if [ -f "$PLACE/comment" ]; then echo 77; fi ;;
  *) if [ -n "${READ_ONLY:-}" ]; then echo "HTTP 403" >&2; exit 1; fi; cp gate/comment.md "$PLACE/comment" ;;
esac
"""


class Done(NamedTuple):
    """How a job went."""

    outcomes: dict[str, str]
    """Success, failure or skipped, by the step's id or name."""
    outputs: dict[str, str]
    """Of the steps, as `STEP.NAME`."""
    log: str
    summary: str
    code: int
    """Exit code of the first step that failed; 0 if none did."""


def environment(place: Path, **more: str) -> dict[str, str]:
    """What commands see: stubs of `gh` and of pip in front of this Python, and nothing of the machine that tells it is CI."""
    stubs = place / "stubs"
    stubs.mkdir(parents=True, exist_ok=True)
    for name, text in {"python": _PYTHON, "compress": _COMPRESS, "gh": _GH}.items():
        (stubs / name).write_text(text)
        (stubs / name).chmod(0o755)
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR", "OMP_NUM_THREADS") if name in os.environ}
    source = str(Path(__file__).parents[1])
    found = {"PATH": f"{stubs}:{os.environ['PATH']}", "PLACE": str(place), "REAL_PYTHON": sys.executable}
    return {**kept, **found, "PYTHONPATH": source, **more}


def bash(script: str, folder: Path, seen: Mapping[str, str]) -> tuple[int, str]:
    """Run a script as both systems do: it ends at the first command that fails."""
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=folder,
        env=dict(seen),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        check=False,
    )
    return done.returncode, done.stdout


class Runner:
    """Runs the one job of a workflow in a checkout. `place` holds what outlives a job: cache, artifacts, comment."""

    def __init__(self, workflow: Mapping[str, Any], checkout: Path, place: Path, event: str = "pull_request") -> None:
        (self.job,) = workflow["jobs"].values()
        self.checkout, self.place, self.event = checkout, place, event
        self.runs = 0

    def run(self, inputs: Mapping[str, str] | None = None, **more: str) -> Done:
        """Run the job on a fresh checkout."""
        self.runs += 1
        for made in ("runs", "gate"):
            shutil.rmtree(self.checkout / made, ignore_errors=True)
        output, summary = self.place / "output", self.place / "summary"
        summary.write_text("")
        github = {
            "event_name": self.event,
            "token": "token",
            "run_id": str(self.runs),
            "run_attempt": "1",
            "event": {"pull_request": {"number": "5"}},
        }
        known: dict[str, Any] = {"github": github, "runner": {"os": "Linux", "arch": "X64"}, "steps": {}}
        known["inputs"] = dict(inputs or {})
        known["env"] = {name: filled(text, known) for name, text in self.job["env"].items()}
        seen = environment(
            self.place,
            GITHUB_ACTIONS="true",
            GITHUB_REPOSITORY="owner/shop",
            GITHUB_WORKSPACE=str(self.checkout),
            GITHUB_OUTPUT=str(output),
            GITHUB_STEP_SUMMARY=str(summary),
            **known["env"],
            **more,
        )
        code, log, outcomes = 0, "", {}
        for step in self.job["steps"]:
            output.write_text("")
            name = step.get("id") or step.get("name") or step["uses"]
            outcome = "skipped"
            if wanted(step.get("if", ""), known, failed=code != 0):
                if "run" in step:
                    own = {key: filled(text, known) for key, text in step.get("env", {}).items()}
                    ended, said = bash(step["run"], self.checkout, {**seen, **own})
                    log += said
                    code = code or ended
                    outcome = "failure" if ended else "success"
                else:
                    values = {key: filled(str(text), known) for key, text in step.get("with", {}).items()}
                    output.write_text(self._act(step["uses"], values))
                    outcome = "success"
            outcomes[name] = outcome
            found = dict(line.split("=", 1) for line in output.read_text().splitlines())
            known["steps"][name] = {"outcome": outcome, "outputs": found}
        outputs = {
            f"{name}.{key}": text for name, step in known["steps"].items() for key, text in step["outputs"].items()
        }
        return Done(outcomes, outputs, log, summary.read_text(), code)

    def _act(self, action: str, values: Mapping[str, str]) -> str:
        """What an action does; gives its outputs."""
        name = action.split("@")[0]
        if name == "actions/cache/restore":
            prefixes = [values["key"], *values.get("restore-keys", "").splitlines()]
            kept = sorted((self.place / "cache").glob("*"), key=lambda path: path.stat().st_mtime, reverse=True)
            keys = {path.name: path for path in kept}
            match = next((keys[key] for prefix in prefixes for key in keys if key.startswith(_flat(prefix))), None)
            if match is not None:
                shutil.copytree(match, self.checkout, dirs_exist_ok=True)
            return f"cache-primary-key={values['key']}\n"
        if name == "actions/cache/save":
            for path in values["path"].splitlines():
                if not path.startswith("~") and (self.checkout / path).exists():
                    shutil.copytree(self.checkout / path, self.place / "cache" / _flat(values["key"]) / path)
        elif name == "actions/upload-artifact":
            target = self.place / f"{values['name']}-{self.runs}"
            for pattern in values["path"].splitlines():
                for path in self.checkout.glob(pattern.rstrip("/")):
                    shutil.copytree(path, target / path.name)
        else:
            assert name in ("actions/checkout", "actions/setup-python"), f"what does {action} do?"
        return ""


def _flat(key: str) -> str:
    return key.replace("/", "_")


def filled(text: str, known: Mapping[str, Any]) -> str:
    """A text with its expressions replaced by their values."""
    return EXPRESSION.sub(lambda found: str(evaluated(found[1], known)), text)


def wanted(condition: str, known: Mapping[str, Any], failed: bool) -> bool:
    """Whether a step runs: without a word on the job's status only if no step failed."""
    expression = EXPRESSION.sub(lambda found: found[1], condition)
    if not _STATUS.search(expression):
        expression = f"success() && ({expression or 'true'})"
    return bool(evaluated(expression, known, failed))


def evaluated(expression: str, known: Mapping[str, Any], failed: bool = False) -> Any:
    """The value of an expression; what is not there is the empty string."""
    status = {"always": True, "cancelled": False, "failure": failed, "success": not failed}
    text = _STATUS.sub(lambda found: str(status[found[1]]), expression)
    text = _CONTEXT.sub(lambda found: repr(_looked_up(known, found[0].split("."))), text)
    text = re.sub(r"!(?!=)", " not ", text.replace("&&", " and ").replace("||", " or "))
    return eval(text.strip(), {"__builtins__": {}}, {"true": True, "false": False})


def _looked_up(known: Any, steps: list[str]) -> Any:
    for step in steps:
        known = known.get(step, "") if isinstance(known, Mapping) else ""
    return known


def expressions(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every expression of a workflow with the keys that lead to it."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from expressions(part, (*path, str(key)))
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from expressions(part, (*path, str(number)))
    elif isinstance(value, str):
        bare = path[-1:] == ("if",) and "${{" not in value
        yield from ((path, found) for found in ([value] if bare else EXPRESSION.findall(value)))
