"""What was measured once is not measured again, and never read for something else."""

from pathlib import Path

from compress.pruning.latency_table import LatencyTable

KEY = {"on": "onnxruntime-int8", "heads": [12, 12]}


def test_a_table_grows_and_stays(tmp_path: Path) -> None:
    table = LatencyTable(tmp_path, KEY)
    assert table.get((1, 8)) is None
    table.put((1, 8), 0.25)
    table.put((12, 8), 0.5)
    again = LatencyTable(tmp_path, dict(reversed(KEY.items())))
    assert (again.get((1, 8)), again.get((12, 8)), again.get((8, 1))) == (0.25, 0.5, None)


def test_another_key_is_another_table(tmp_path: Path) -> None:
    LatencyTable(tmp_path, KEY).put((1, 8), 0.25)
    assert LatencyTable(tmp_path, {**KEY, "on": "onnxruntime-fp32"}).get((1, 8)) is None


def test_a_damaged_table_is_made_anew(tmp_path: Path) -> None:
    table = LatencyTable(tmp_path, KEY)
    for text in ("", '{"points": 3}', '{"points": {"1x8": "fast"}}'):
        table.path.write_text(text)
        told: list[tuple[int, int, str]] = []
        anew = LatencyTable(tmp_path, KEY, lambda *news, told=told: told.append(news))
        assert anew.get((1, 8)) is None
        assert [str(table.path) in note for _, _, note in told] == [True]
    anew.put((1, 8), 0.5)
    assert LatencyTable(tmp_path, KEY).get((1, 8)) == 0.5
