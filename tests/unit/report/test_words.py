import pytest

from compress.report import words


@pytest.mark.parametrize(
    ("ratio", "written"),
    [
        (0.8749, "0.87×"),
        (1, "1.00×"),
        (9.994, "9.99×"),
        (9.996, "10.0×"),
        (18.43, "18.4×"),
        (99.97, "100×"),
        (184.4, "184×"),
    ],
)
def test_ratios_have_three_digits(ratio, written):
    assert words.times(ratio) == written


def test_names_are_spelled_as_their_makers_do():
    assert words.runtime("onnxruntime") == "ONNX Runtime"
    assert words.runtime("mine") == "mine"
    assert words.precision("int8", "static_qdq") == "INT8 (static_qdq)"
    assert words.precision("fp32") == "FP32"
    assert words.metric("f1_macro") == "macro F1"


def test_shares_are_per_cent_and_coefficients_are_not():
    assert words.score("accuracy", 0.91234) == "91.23 %"
    assert words.score("f1_macro", 0.5) == "50.00 %"
    assert words.score("mcc", -0.1234) == "-0.123"


def test_counts_and_differences():
    assert words.plural(1, "row", "rows") == "1 row"
    assert words.plural(12345, "row", "rows") == "12\u202f345 rows"
    assert words.points(-0.0117) == "−1.17"
    assert words.points(0.005) == "+0.50"
    assert words.shape(1, None) == "1 × own length"


def test_text_is_printed_on_one_line_without_control_characters():
    assert words.line("a\r\nb\tc\u2028d") == "a b c d"
    assert words.line("x\x1b[2J\x00\x9b\u202ey") == r"x\x1b[2J\x00\x9b\u202ey"
    assert words.line("naïve עברית 日本 1\u202f000") == "naïve עברית 日本 1\u202f000"
