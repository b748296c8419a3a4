"""Models that were cut: layers of uneven widths, blocks that are gone, a factored word table.

A copy of this file lies in every folder with such a model, so that transformers loads it where compress is not installed:
`AutoModelForSequenceClassification.from_pretrained(folder, trust_remote_code=True)`. It needs torch and transformers only.
compress itself shapes models by the same functions; of a folder it reads the config and the weights, never the code.
"""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
import transformers
from torch import Tensor, nn
from torch.nn import functional
from transformers import CONFIG_MAPPING, PreTrainedConfig, PreTrainedModel

NOTICE = "this model was cut: load it with compress.load(folder), or in transformers with trust_remote_code=True"
"""Stands in `config.json` where other classes expect a number, so that none of them takes it for a model of theirs."""

MODEL_TYPE = "compress"
PREFIX = "model"
"""The attribute that holds the cut model, and what the names of its weights begin with."""


Modules = Mapping[str, str | int | None]
"""Where the parts are, as a row of compress's table of families says it.

Paths below the base model: `layers`, `word`, `head_bias` (what is added to the scores of all layers' heads); below a
layer: `attention`, `query`, `key`, `value`, `output`, `attention_norm`, `up`, `gate`, `down`; attributes of an attention
module: `head_count`, `heads_width`; `bias_argument`, the place of the scores' bias among its arguments.
"""


class Gone(nn.Linear):
    """A Linear without outputs. What it passes on is a sliver of its input that `Constant` does not read."""

    def __init__(self, inputs: int) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = inputs, 0
        self.register_buffer("weight", torch.zeros(0, inputs), persistent=False)
        self.register_buffer("bias", torch.zeros(0), persistent=False)

    def forward(self, states: Tensor) -> Tensor:
        """(…, inputs) -> (…, 2): two, for activations that take their input in halves."""
        return states[..., :2]


class Constant(nn.Linear):
    """A Linear without inputs: what it puts out is its bias."""

    def __init__(self, outputs: int, bias: nn.Parameter | None) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = 0, outputs
        self.register_buffer("weight", torch.zeros(outputs, 0), persistent=False)
        self.register_parameter("bias", bias)

    def forward(self, states: Tensor) -> Tensor:
        """(…, anything) -> (…, outputs)."""
        bias = cast(Tensor | None, self.bias)
        if bias is None:
            return states.new_zeros(*states.shape[:-1], self.out_features)
        return bias.expand(*states.shape[:-1], self.out_features)


class NoHeads(nn.Module):
    """Stands where an attention module was: no queries, keys, values, scores; what came behind them is kept."""

    def __init__(self, was: nn.Module, modules: Modules) -> None:
        super().__init__()
        self.training = was.training
        place = str(modules["attention"])
        for path in _linears(modules, _PROJECTIONS):
            name = path.removeprefix(f"{place}.")
            self.add_module(name, Gone(cast(nn.Linear, getattr(was, name)).in_features))
        kept = [str(modules[name]) for name in ("output", "attention_norm")]
        self.names = [path.removeprefix(f"{place}.") if path.startswith(f"{place}.") else None for path in kept]
        for kept_name in self.names:
            if kept_name is not None:
                self.add_module(kept_name, cast(nn.Module, getattr(was, kept_name)))

    def forward(self, hidden_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, None]:
        """What the module would put out if all its heads were silent, and no probabilities."""
        output, norm = self.names
        states = hidden_states
        if output is not None:
            states = getattr(self, output)(states)
        if norm is not None:
            states = getattr(self, norm)(states + hidden_states)
        return states, None


class OwnBias:
    """A forward pre-hook for attention modules that are all handed one bias of the scores: it takes the kept heads' out.

    Shapes: the argument at that place is (1, heads before any cut, tokens, tokens)
    """

    def __init__(self, kept: Sequence[int], argument: int) -> None:
        self.kept, self.argument = list(kept), argument

    def __call__(self, _module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return (*args[: self.argument], args[self.argument][:, self.kept], *args[self.argument + 1 :])


class FactoredEmbedding(nn.Embedding):
    """A word table of low rank: (tokens, rank) times (rank, width). `weight` is the first factor."""

    def __init__(self, tokens: int, rank: int, width: int, padding: int | None) -> None:
        super().__init__(tokens, rank, padding)
        self.projection = nn.Linear(rank, width, bias=False)

    def forward(self, ids: Tensor) -> Tensor:
        """Token ids (…) -> (…, width)."""
        states: Tensor = self.projection(functional.embedding(ids, self.weight, self.padding_idx))
        return states


_PROJECTIONS = ("query", "key", "value")


def _linears(modules: Modules, names: Sequence[str]) -> dict[str, int]:
    """The paths of the Linears that hold some parts, with how many parts each holds (`path:1/3` is the second of 3)."""
    found = [str(modules[name]).partition(":") for name in names if modules.get(name)]
    return {path: int(share.partition("/")[2] or 1) for path, _, share in found}


def place(root: nn.Module, path: str, module: nn.Module) -> None:
    """Put a module in the place of the one at a dotted path."""
    above, _, name = path.rpartition(".")
    setattr(root.get_submodule(above), name, module)


def drop_attention(layer: nn.Module, modules: Modules) -> None:
    """Take a layer's attention block away: its output Linear's bias, the residual and the norm stay."""
    path = str(modules["output"])
    output = cast(nn.Linear, layer.get_submodule(path))
    place(layer, path, Constant(output.out_features, output.bias))
    path = str(modules["attention"])
    place(layer, path, NoHeads(layer.get_submodule(path), modules))


def drop_neurons(layer: nn.Module, modules: Modules) -> None:
    """Take a layer's feed-forward block away: its second Linear's bias, the residual and the norm stay."""
    for path in _linears(modules, ("up", "gate")):
        place(layer, path, Gone(cast(nn.Linear, layer.get_submodule(path)).in_features))
    down = cast(nn.Linear, layer.get_submodule(str(modules["down"])))
    place(layer, str(modules["down"]), Constant(down.out_features, down.bias))


def build(
    kind: type[PreTrainedModel], config: PreTrainedConfig, modules: Modules, cut: Mapping[str, Any]
) -> PreTrainedModel:
    """A model of a transformers class in the shape that `cut` records, its weights not yet set.

    `cut` has, for each layer, the kept `heads` and the number of `neurons`; none of them means that the block is gone.
    `head_size` is the width of one head, `embedding_rank`, if there, the word table's.
    """
    heads = config.num_attention_heads
    if config.hidden_size % heads:
        config.num_attention_heads = 1  # heads of a width of their own need not divide the hidden width
    try:
        model = kind(config)
    finally:
        config.num_attention_heads = heads
    root, size = model.base_model, int(cut["head_size"])
    layers = root.get_submodule(str(modules["layers"])).children()
    for layer, kept, neurons in zip(layers, cut["heads"], cut["neurons"], strict=True):
        _resize(layer, modules, len(kept) * size, neurons)
        tell(layer, modules, kept, size)
    if cut.get("embedding_rank"):
        factor(root, modules, int(cut["embedding_rank"]))
    if modules.get("head_bias"):
        bias = cast(nn.Embedding, root.get_submodule(str(modules["head_bias"])))
        place(root, str(modules["head_bias"]), nn.Embedding(bias.num_embeddings, heads))
    return model


def factor(root: nn.Module, modules: Modules, rank: int) -> FactoredEmbedding:
    """Put a factored word table, its weights not yet set, in the place of a base model's own."""
    word = cast(nn.Embedding, root.get_submodule(str(modules["word"])))
    width = word.projection.out_features if isinstance(word, FactoredEmbedding) else word.embedding_dim
    table = FactoredEmbedding(word.num_embeddings, rank, width, word.padding_idx)
    place(root, str(modules["word"]), table)
    return table


def tell(layer: nn.Module, modules: Modules, kept: Sequence[int], size: int) -> None:
    """Write into a layer's attention module which heads it has and how wide they are."""
    attention = layer.get_submodule(str(modules["attention"]))
    for named, number in (("head_count", len(kept)), ("heads_width", len(kept) * size)):
        if modules[named]:
            setattr(attention, str(modules[named]), number)
    for name, value in (("attention_head_size", size), ("head_dim", size), ("scaling", size**-0.5)):
        if hasattr(attention, name):
            setattr(attention, name, value)
    if modules.get("head_bias"):
        for number, hook in list(attention._forward_pre_hooks.items()):
            if isinstance(hook, OwnBias):
                del attention._forward_pre_hooks[number]
        if kept:
            attention.register_forward_pre_hook(OwnBias(kept, int(modules["bias_argument"] or 0)))


def _resize(layer: nn.Module, modules: Modules, width: int, neurons: int) -> None:
    for names, wide in ((_PROJECTIONS, width), (("up", "gate"), neurons)):
        for path, count in _linears(modules, names).items():
            linear = cast(nn.Linear, layer.get_submodule(path))
            _shape(linear, linear.in_features, wide * count)
    for name, wide in (("output", width), ("down", neurons)):
        linear = cast(nn.Linear, layer.get_submodule(str(modules[name])))
        _shape(linear, wide, linear.out_features)
    if not width:
        drop_attention(layer, modules)
    if not neurons:
        drop_neurons(layer, modules)


def _shape(linear: nn.Linear, inputs: int, outputs: int) -> None:
    linear.in_features, linear.out_features = inputs, outputs
    linear.weight = nn.Parameter(torch.zeros(outputs, inputs))
    if linear.bias is not None:
        linear.bias = nn.Parameter(torch.zeros(outputs))


class CutConfig(PreTrainedConfig):  # type: ignore[no-untyped-call]
    """The config of a cut model: the plain one of its encoder, what was cut, and where the parts are.

    Numbers that it does not have itself, such as `hidden_size`, are the encoder's, as before any cut of heads and neurons.
    """

    model_type = MODEL_TYPE

    def __init__(
        self,
        encoder: Mapping[str, Any] | PreTrainedConfig | None = None,
        encoder_type: str = "bert",
        compress: Mapping[str, Any] | None = None,
        modules: Modules | None = None,
        **kwargs: Any,
    ) -> None:
        if kwargs.get("vocab_size") == NOTICE:
            del kwargs["vocab_size"]
        given = encoder if isinstance(encoder, PreTrainedConfig) else CONFIG_MAPPING[encoder_type](**(encoder or {}))
        self.encoder, self.encoder_type = copy.deepcopy(given), given.model_type
        self.compress, self.modules = dict(compress or {}), dict(modules or {})
        if "num_labels" not in kwargs:
            for name in ("id2label", "label2id", "problem_type"):
                kwargs.setdefault(name, getattr(given, name))
        kwargs.setdefault("dtype", given.dtype)
        super().__init__(**kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or "encoder" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__} has no attribute {name}")
        return getattr(self.__dict__["encoder"], name)

    @property
    def vocab_size(self) -> int:
        """The number of tokens."""
        return int(self.encoder.vocab_size)

    @vocab_size.setter
    def vocab_size(self, number: int) -> None:
        self.encoder.vocab_size = number

    def to_dict(self) -> dict[str, Any]:
        """What `config.json` holds."""
        encoder = copy.deepcopy(self.encoder)
        for name in ("id2label", "label2id", "problem_type", "dtype"):
            setattr(encoder, name, getattr(self, name))
        inner = encoder.to_diff_dict()
        for name in (
            "model_type",
            "transformers_version",
        ):  # beside a `model_type` plain classes would read it as theirs
            inner.pop(name, None)
        return {
            "architectures": self.architectures,
            "auto_map": auto_map(inner["architectures"][0]),
            "compress": self.compress,
            "encoder": inner,
            "encoder_type": self.encoder_type,
            "model_type": MODEL_TYPE,
            "modules": self.modules,
            "transformers_version": transformers.__version__,
            "vocab_size": NOTICE,
        }

    def to_diff_dict(self) -> dict[str, Any]:
        """The same: the encoder's entry leaves out its defaults already."""
        return self.to_dict()


def architecture(inner: str) -> str:
    """The class of this file for a cut model of a transformers class."""
    return f"Cut{_CLASSIFIES}" if inner.endswith(_CLASSIFIES) else "CutModel"


def auto_map(inner: str) -> dict[str, str]:
    """Which class of this file serves which `Auto` class for a cut model of a transformers class."""
    made = {"AutoConfig": "modeling_compress.CutConfig", "AutoModel": "modeling_compress.CutModel"}
    if inner.endswith(_CLASSIFIES):
        made[f"AutoModel{_CLASSIFIES}"] = f"modeling_compress.Cut{_CLASSIFIES}"
    return made


_CLASSIFIES = "ForSequenceClassification"


class _Cut(PreTrainedModel):
    """A cut model of the transformers class that the encoder's config names, under `model`."""

    config_class = CutConfig
    base_model_prefix = PREFIX
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_flex_attn = True
    _supports_attention_backend = True

    def __init__(self, config: CutConfig) -> None:
        super().__init__(config)
        encoder = config.encoder
        encoder.id2label, encoder.label2id = config.id2label, config.label2id
        encoder.problem_type = config.problem_type
        (name,) = encoder.architectures or ["none"]
        kind = getattr(transformers, name)
        encoder._attn_implementation = config._attn_implementation if kind._supports_sdpa else "eager"
        self.model = build(kind, encoder, config.modules, config.compress)
        self.post_init()  # type: ignore[no-untyped-call]

    def get_input_embeddings(self) -> nn.Module:
        """The word embeddings."""
        return cast(nn.Module, self.model.get_input_embeddings())

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Put others in their place."""
        self.model.set_input_embeddings(value)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        **kwargs: Any,
    ) -> Any:
        """What the cut model answers."""
        given = {
            "input_ids": input_ids,
            "attention_mask": attention_mask,
            "token_type_ids": token_type_ids,
            "position_ids": position_ids,
            "inputs_embeds": inputs_embeds,
            **kwargs,
        }
        return self._answering()(**{name: value for name, value in given.items() if value is not None})

    def _answering(self) -> nn.Module:
        return cast(nn.Module, self.model)


class CutModel(_Cut):  # type: ignore[no-untyped-call]
    """A cut encoder; a task head of the folder is loaded with it and not asked."""

    def _answering(self) -> nn.Module:
        found: nn.Module = self.model.base_model
        return found


class CutForSequenceClassification(_Cut):  # type: ignore[no-untyped-call]
    """A cut encoder with its classification head."""

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        **kwargs: Any,
    ) -> Any:
        """Logits, and the loss if `labels` are given."""
        return super().forward(
            input_ids, attention_mask, token_type_ids, position_ids, inputs_embeds, labels=labels, **kwargs
        )
