import pytest
import sample

from compress.config.settings import CalibrationGate, FidelityGate, Gate
from compress.report.gate.verdict import judge
from compress.report.variant import Estimate

BASE = sample.older(sample.record(rows=1000))
TINY = ("tiny", "onnxruntime-int8")


def check(gate, of=BASE, **fields):
    variants = [one.model_copy(update=fields) if (one.model, one.id) == TINY else one for one in of.variants]
    (seen,) = judge(of.model_copy(update={"variants": tuple(variants)}), Gate(students=("tiny",), **gate)).checks
    return seen


@pytest.mark.parametrize(("agreement", "answer"), [(0.97, "pass"), (0.95, "not comparable"), (0.9, "fail")])
def test_agreement_is_judged_by_the_exact_interval(agreement, answer):
    seen = check({"fidelity": FidelityGate(agreement=0.95, on=TINY[1])}, agreement=agreement)
    assert (seen.name, seen.answer) == ("fidelity.agreement", answer)
    assert seen.low < agreement < seen.high
    assert "of 1\u202f000 rows as the teacher does (" in seen.sentence


@pytest.mark.parametrize(
    ("low", "high", "answer"), [(0.01, 0.05, "pass"), (0.04, 0.06, "not comparable"), (0.051, 0.07, "fail")]
)
@pytest.mark.parametrize("name", ["fidelity.kl", "calibration.ece"])
def test_an_interval_beyond_the_limit_fails_and_one_within_passes(name, low, high, answer):
    field, gate = {
        "fidelity.kl": ("divergence", {"fidelity": FidelityGate(kl=0.05, on=TINY[1])}),
        "calibration.ece": ("calibration_error", {"calibration": CalibrationGate(ece=0.05, on=TINY[1])}),
    }[name]
    seen = check(gate, **{field: Estimate(value=(low + high) / 2, low=low, high=high)})
    assert (seen.name, seen.answer, seen.limit) == (name, answer, 0.05)


@pytest.mark.parametrize(
    "gate", [{"fidelity": FidelityGate(kl=0.05, on=TINY[1])}, {"calibration": CalibrationGate(ece=0.05, on=TINY[1])}]
)
def test_what_an_older_report_lacks_is_not_comparable(gate):
    seen = check(gate)
    assert seen.answer == "not comparable"
    assert seen.sentence.endswith("was not measured.")
