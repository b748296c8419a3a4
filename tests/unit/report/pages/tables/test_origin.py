import sample

from compress.report.pages.tables import origin
from compress.report.record import Weights

REPORT = sample.record(rows=200)


def test_a_number_says_where_it_comes_from():
    facts = dict(origin.facts(REPORT))
    assert facts["machine class"] == "x86_64/AMD EPYC 7R13/2c/avx2"
    assert facts["timing"] == "1 thread, 30 interleaved rounds, 150 calls a number"
    assert facts["test rows"] == f"200, SHA-256 {'33' * 32}"
    assert (facts["seed"], facts["compress"]) == ("0", "0.1.0")
    assert facts["command"] == "compress run pipeline.yaml"
    hub = REPORT.data.test.model_copy(update={"sha256": "org/set@main/test"})
    other = REPORT.model_copy(update={"data": REPORT.data.model_copy(update={"test": hub})})
    assert dict(origin.facts(other))["test rows"] == "200, org/set@main/test"


def test_unlabelled_rows_are_told_of_where_there_are_some():
    def names(report):
        return [name for name, _ in origin.facts(report)]

    assert "unlabelled rows" not in names(REPORT)
    more = REPORT.data.model_copy(update={"unlabelled": REPORT.data.train})
    assert "unlabelled rows" in names(REPORT.model_copy(update={"data": more}))


def test_pretrained_weights_are_told_of():
    weights = {"teacher": Weights(hub="org/model", license="mit"), "tiny": Weights()}
    facts = dict(origin.facts(REPORT.model_copy(update={"weights": weights})))
    assert facts["weights of teacher"] == "org/model, licence mit"
    assert "weights of tiny" not in facts


def test_the_beginning_of_a_digest_names_rows_in_short():
    assert origin.digest(REPORT.data.test, 12) == "SHA-256 333333333333"
