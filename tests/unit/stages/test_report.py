"""What the report says of stages that train nothing."""

from compress.stages.report import _augmented


def test_the_counts_of_an_augmentation_are_told() -> None:
    left_out = {"unchanged": 5, "like_a_training_row_or_another_copy": 1, "like_a_validation_or_test_row": 2}
    made = {"rows": 1220, "training_rows": 640, "words": 700, "replaced": 350, "left_out": left_out}
    assert _augmented(made) == (
        "1,220 new rows from 640, 50% of their words replaced; left out 5 that came out unchanged, 1 like a training row "
        "or each other, 2 like a validation or test row"
    )
