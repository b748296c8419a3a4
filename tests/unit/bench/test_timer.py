import gc
import os
import queue
import sys
import threading

import numpy
import pytest

from compress.bench import timer
from compress.bench.timer import interleave, interval, pin, ratio, redrawn, speedup, summary


def test_every_round_times_every_call_once_in_a_seeded_order():
    def orders(seed):
        seen = []
        calls = {name: (lambda name=name: seen.append(name)) for name in "abcd"}
        samples = interleave(calls, rounds=6, seed=seed, warmup=0, settle=0)
        assert {name: len(times) for name, times in samples.items()} == dict.fromkeys("abcd", 6)
        return ["".join(seen[start : start + 4]) for start in range(0, 24, 4)]

    first = orders(3)
    assert all(sorted(order) == list("abcd") for order in first)
    assert len(set(first)) > 1
    assert first == orders(3)
    assert first != orders(4)


def test_warmup_and_settling_calls_are_not_samples():
    count = 0

    def call():
        nonlocal count
        count += 1

    samples = interleave({"a": call}, rounds=4, seed=0, warmup=5, settle=2, repeat=3)
    assert len(samples["a"]) == 12
    assert count == 5 + 4 * (2 + 3)


def test_samples_are_milliseconds_of_the_right_call(monkeypatch):
    clock = [0]

    def takes(milliseconds):
        clock[0] += milliseconds * 1_000_000

    monkeypatch.setattr(timer, "perf_counter_ns", lambda: clock[0])
    calls = {"slow": lambda: takes(20), "quick": lambda: takes(3)}
    assert interleave(calls, rounds=3, seed=0, warmup=0) == {"slow": [20] * 3, "quick": [3] * 3}


def test_the_collector_is_off_while_timing_and_on_afterwards():
    on = []
    interleave({"a": lambda: on.append(gc.isenabled())}, rounds=2, seed=0, warmup=0)
    assert not any(on)
    assert gc.isenabled()

    def fails():
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        interleave({"a": fails}, rounds=1, seed=0, warmup=0)
    assert gc.isenabled()


def test_progress_is_told():
    told = []
    interleave({"a": lambda: None}, rounds=3, seed=0, notify=lambda *news: told.append(news))
    assert told == [(1, 3, "round"), (2, 3, "round"), (3, 3, "round")]


@pytest.mark.parametrize("wrong", [{"rounds": 0}, {"rounds": 1, "repeat": 0}])
def test_nothing_to_time_is_refused(wrong):
    with pytest.raises(ValueError, match="at least 1"):
        interleave({"a": lambda: None}, seed=0, **wrong)


def test_summary_is_numpys_percentiles():
    samples = [float(n) for n in range(1, 101)]
    latency = summary(samples)
    assert (latency.p50_ms, latency.p95_ms, latency.samples) == (50.5, pytest.approx(95.05), 100)
    assert latency.p99_ms == numpy.percentile(samples, 99)
    assert latency.mean_ms == 50.5
    with pytest.raises(ValueError, match="no sample"):
        summary([])


def test_speedup_is_the_ratio_of_medians():
    assert speedup([8, 10, 90], [2, 5, 7]) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="other systems pin no process")
def test_the_interval_of_a_ratio_is_that_of_rounds_drawn_together():
    generator = numpy.random.default_rng(0)
    spells = numpy.repeat(generator.choice([1.0, 5.0], 40), 2)  # the machine is slow in half of the rounds, for both
    one, other = (spells * generator.normal(mean, 0.02, 80) for mean in (2, 1))
    value, low, high = ratio(one, other, turn=2, seed=0)
    assert low < value < high
    assert 1.9 < low < 2 < high < 2.1
    _, low, high = ratio(one, generator.permutation(other.reshape(-1, 2)).ravel(), turn=2, seed=0)
    assert high - low > 0.5, "rounds that are not the same ones tell less"


def test_as_many_samples_of_one_round_tell_no_more_than_one():
    generator = numpy.random.default_rng(0)
    rounds = generator.normal(1, 0.1, (2, 20))
    single = ratio(*rounds, turn=1, seed=0)
    assert ratio(*numpy.repeat(rounds, 3, axis=1), turn=3, seed=0) == pytest.approx(single)


def test_percentiles_are_those_of_rounds_drawn_with_repetition():
    times = numpy.arange(12.0).reshape(6, 2)
    drawn = redrawn(times.ravel(), turn=2, seed=5)
    chosen = numpy.random.default_rng(5).integers(0, 6, (drawn.shape[1], 6))
    for draw in (0, 1, 999):
        own = numpy.concatenate([times[number] for number in chosen[draw]])
        assert drawn[:, draw].tolist() == numpy.percentile(own, (50, 95), method="weibull").tolist()


def test_all_that_were_timed_together_share_their_draws():
    times = numpy.random.default_rng(0).lognormal(0, 0.3, 60)
    assert redrawn(3 * times, turn=2, seed=0) == pytest.approx(3 * redrawn(times, turn=2, seed=0))
    assert ratio(3 * times, times, turn=2, seed=0) == pytest.approx((3, 3, 3))


def test_the_intervals_hold_what_the_samples_are_of():
    generator, missed, above, below = numpy.random.default_rng(0), 0, 0, 0
    slow = numpy.exp(0.3 * 1.6448536)  # the 95th percentile
    for _ in range(100):
        p50, p95 = map(interval, redrawn(generator.lognormal(0, 0.3, 60), turn=2, seed=0))
        missed += not p50[0] <= 1 <= p50[1]
        below += p95[1] < slow
        above += p95[0] > slow
    assert 1 <= missed <= 12
    assert below <= 12, "2.5 would be right; the slowest of 60 calls is quicker than that in 5 sessions of 100"
    assert above <= 5


def test_more_rounds_narrow_the_interval():
    times = numpy.random.default_rng(0).lognormal(0, 0.3, 400)
    widths = [
        [high - low for low, high in map(interval, redrawn(times[:rounds], turn=1, seed=0))] for rounds in (25, 400)
    ]
    assert widths[1][0] < widths[0][0] / 2
    assert widths[1][1] < widths[0][1]


def test_pin_holds_every_thread_of_the_process_and_lets_go():
    before = os.sched_getaffinity(0)
    ask, answers = queue.Queue(), queue.Queue()

    def worker():
        while ask.get():
            answers.put(os.sched_getaffinity(0))

    def elsewhere():
        ask.put(True)
        return answers.get(timeout=60)

    thread = threading.Thread(target=worker)
    thread.start()
    try:
        assert elsewhere() == before
        with pin(1) as chosen:
            assert len(chosen) == 1
            assert os.sched_getaffinity(0) == elsewhere() == set(chosen)
        assert os.sched_getaffinity(0) == elsewhere() == before
    finally:
        ask.put(False)
        thread.join()


def test_pin_to_no_core_is_refused():
    with pytest.raises(ValueError, match="at least 1"), pin(0):
        pass


def test_pin_limits_a_loaded_torch():
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    with pin(1):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_a_clock_without_waits_runs_as_the_usual_one_less_what_was_waited(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = iter([5, 5, 5, 70, 70])  # once a wait falls between the two readings: read again
    monkeypatch.setattr(timer.os, "open", lambda *_: 99)
    monkeypatch.setattr(timer.os, "close", lambda _: None)
    monkeypatch.setattr(timer.os, "pread", lambda *_: f"1000 {next(waits)} 3".encode())
    monkeypatch.setattr(timer, "perf_counter_ns", iter([100, 200, 300]).__next__)
    with timer.without_waits() as clock:
        assert (clock(), clock()) == (95, 230)


def test_where_waits_are_not_told_it_is_the_usual_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> int:
        raise FileNotFoundError

    monkeypatch.setattr(timer.os, "open", missing)
    with timer.without_waits() as clock:
        assert clock is timer.perf_counter_ns


def test_the_clock_of_this_machine_goes_forward() -> None:
    with timer.without_waits() as clock:
        times = [clock() for _ in range(50)]
    assert times == sorted(times)
    assert timer.interleave({"a": lambda: None}, rounds=3, seed=0, clock=iter(range(0, 10**6, 1000)).__next__) == {
        "a": [0.001] * 3
    }
