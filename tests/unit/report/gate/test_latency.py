import pytest
import sample

from compress.config.settings import Gate, LatencyGate
from compress.report.gate.verdict import judge
from compress.report.variant import Interval

BASE = sample.older(sample.record(rows=40))
TINY = ("tiny", "onnxruntime-int8")
OLD = "Latency is judged as measured, without the noise of its rounds, where a report has no intervals."


def timed(of=BASE, **fields):
    """The report with fields of all cells of tiny's INT8 changed; a pair is an interval."""
    fields = {
        key: Interval(low=value[0], high=value[1]) if isinstance(value, tuple) else value
        for key, value in fields.items()
    }
    variants = []
    for one in of.variants:
        if (one.model, one.id) == TINY:
            one = one.model_copy(update={"latency": tuple(cell.model_copy(update=fields) for cell in one.latency)})
        variants.append(one)
    return of.model_copy(update={"variants": tuple(variants)})


def check(report, name, baseline=None, **limits):
    verdict = judge(report, Gate(students=("tiny",), latency=LatencyGate(on=TINY[1], **limits)), baseline)
    return next(check for check in verdict.checks if check.name == name), verdict


@pytest.mark.parametrize(
    ("low", "high", "answer"), [(0.25, 0.3, "pass"), (0.28, 0.31, "not comparable"), (0.301, 0.32, "fail")]
)
@pytest.mark.parametrize("kind", ["p50", "p95"])
def test_a_time_is_judged_by_its_interval(kind, low, high, answer):
    report = timed(**{f"{kind}_ms": (low + high) / 2, f"{kind}_interval": (low, high)})
    seen, verdict = check(report, f"latency.{kind}_ms", **{f"{kind}_ms": 0.3})
    assert (seen.answer, seen.low, seen.high) == (answer, low, high)
    assert seen.sentence.endswith("too few to tell, raise `measure.rounds`.") is (answer == "not comparable")
    assert OLD not in verdict.notes


def test_of_few_calls_none_may_be_among_the_slowest_twentieth():
    """A 95th percentile is not shown to hold by 6 calls, whose interval ends below it in three sessions of four."""
    few = timed(p95_ms=0.2, p95_interval=(0.19, 0.21), samples=6)
    seen, _ = check(few, "latency.p95_ms", p95_ms=0.3)
    assert (seen.answer, seen.sentence[-65:]) == (
        "not comparable",
        "0.300 ms. The rounds are too few to tell, raise `measure.rounds`.",
    )
    assert check(timed(few, samples=59), "latency.p95_ms", p95_ms=0.3)[0].answer == "pass"
    assert check(few, "latency.p95_ms", p95_ms=0.1)[0].answer == "fail"
    assert check(timed(few, p50_ms=0.2, p50_interval=(0.19, 0.21)), "latency.p50_ms", p50_ms=0.3)[0].answer == "pass"


@pytest.mark.parametrize(
    ("low", "high", "answer"), [(3.0, 3.4, "pass"), (2.9, 3.2, "not comparable"), (2.5, 2.99, "fail")]
)
def test_a_speed_up_is_judged_by_its_interval(low, high, answer):
    seen, _ = check(timed(speedup=(low + high) / 2, speedup_interval=(low, high)), "latency.speedup", speedup=3)
    assert seen.answer == answer
    assert f"({low:.2f} to {high:.2f}) as fast as the teacher at 1 × 16 tokens; asked: at least 3.00×" in seen.sentence


def test_an_older_reports_times_are_taken_as_they_are():
    seen, verdict = check(timed(p50_ms=0.3), "latency.p50_ms", p50_ms=0.3)
    assert seen.answer == "pass"
    assert verdict.notes == (OLD,)


@pytest.mark.parametrize(("ms", "answer"), [(0.3, "pass"), (0.36, "not comparable"), (0.5, "fail")])
def test_a_ratio_to_the_baseline_has_the_noise_of_both(ms, answer):
    before = timed(p50_ms=0.29, p50_interval=(0.28, 0.30))
    now = timed(p50_ms=ms, p50_interval=(0.97 * ms, 1.03 * ms))
    seen, _ = check(now, "latency.max_ratio", before)
    assert seen.answer == answer
    assert seen.seen == pytest.approx(ms / 0.29)
    assert seen.low < 0.97 * ms / 0.29
    assert seen.high > 1.03 * ms / 0.29


def elsewhere(report):
    return report.model_copy(update={"machine": report.machine.model_copy(update={"machine_class": "a phone"})})


@pytest.mark.parametrize(("speedup", "answer"), [(20.0, "pass"), (16.2, "not comparable"), (10.0, "fail")])
def test_speed_ups_are_compared_across_machine_classes(speedup, answer):
    before = timed(speedup=20.0, speedup_interval=(19.5, 20.5), p50_ms=0.1)
    now = elsewhere(timed(speedup=speedup, speedup_interval=(0.97 * speedup, 1.03 * speedup), p50_ms=9.0))
    seen, _ = check(now, "latency.max_ratio", before, relative=True)
    assert seen.answer == answer
    assert seen.seen == pytest.approx(20 / speedup)
    assert not any(one.name == "latency.max_ratio" for one in judge(now, Gate(), before).checks)


@pytest.mark.parametrize("other", ["threads", "teacher"])
def test_speed_ups_on_other_threads_or_over_another_teacher_are_not(other):
    now = elsewhere(BASE)
    if other == "threads":
        now = now.model_copy(update={"measure": now.measure.model_copy(update={"threads": 4})})
        why = "it was measured on 1 thread, this on 4"
    else:
        larger = now.variants[0].model_copy(update={"parameters": 9})
        now = now.model_copy(update={"variants": (larger, *now.variants[1:])})
        why = "its teacher is another one, or none was timed"
    verdict = judge(now, Gate(latency=LatencyGate(relative=True)), BASE)
    assert not any(one.name == "latency.max_ratio" for one in verdict.checks)
    assert f"Latency not compared with the baseline: {why}." in verdict.notes


def test_without_a_teacher_beside_it_there_is_no_speed_up_to_compare():
    seen, _ = check(timed(speedup=None), "latency.max_ratio", BASE, relative=True)
    assert seen.answer == "not comparable"
    seen, _ = check(BASE, "latency.max_ratio", timed(speedup=None), relative=True)
    assert seen.sentence.endswith("beside the teacher in PyTorch FP32 in the baseline.")


def test_numbers_at_the_edge_of_floats_are_judged():
    wild = timed(p50_ms=1e-300, p50_interval=(0.0, 1e300))
    assert check(wild, "latency.max_ratio", timed(p50_ms=1e300))[0].answer in ("pass", "not comparable")
    assert check(timed(p50_ms=1e300), "latency.max_ratio", timed(p50_ms=1e-300))[0].answer == "fail"
