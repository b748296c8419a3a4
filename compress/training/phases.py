"""Trainings one after the other in one work folder: each is done once, whatever interrupts those after it."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace

import safetensors.torch
from torch import Tensor, nn

from compress.config import settings
from compress.data.batches import Encoded
from compress.store import seal
from compress.training import checkpoints
from compress.training.devices import first_alone, place
from compress.training.history import History, Session, joined, restored
from compress.training.trainer import train

WEIGHTS = "finished.safetensors"
SEAL = "finished.seal"


def train_in_turn(
    modules: Iterable[nn.Module],
    rows: Sequence[Encoded],
    validation: Encoded,
    trainings: Sequence[settings.Train],
    session: Session,
) -> History:
    """Train modules around one student, each on its own rows by its own settings, in place.

    A module is asked for when those before it are trained, so that it may be made from what they learned.
    With several of them each has a folder of its own below the work folder, where its weights stay after its end. What
    an earlier one learned beside the student, such as projections, a later one starts from if it has the like.
    Raises: as `train`
    """
    if len(trainings) == 1:
        return train(next(iter(modules)), rows[0], validation, trainings[0], session)
    histories: list[History] = []
    learned: dict[str, Tensor] = {}
    for number, (module, part, training) in enumerate(zip(modules, rows, trainings, strict=True), 1):
        own = module.state_dict()
        like = {name: weight for name, weight in learned.items() if name in own and own[name].shape == weight.shape}
        module.load_state_dict(like, strict=False)
        histories.append(_once(module, part, validation, training, _part(session, number, len(trainings))))
        learned |= {name: weight for name, weight in module.state_dict().items() if not name.startswith("student.")}
    return joined(histories)


def _part(session: Session, number: int, count: int) -> Session:
    """Where and how one of several trainings runs."""

    def notify(done: int, total: int, note: str) -> None:
        session.notify(done, total, f"phase {number} of {count}: {note}")

    name, curves = f"phase-{number}", session.tensorboard
    return replace(
        session, work=session.work / name, notify=notify, tensorboard=None if curves is None else curves / name
    )


def _once(module: nn.Module, rows: Encoded, validation: Encoded, training: settings.Train, session: Session) -> History:
    """A training whose outcome stays in its folder: asked for again after its end, it is read."""
    weights, done = session.work / WEIGHTS, session.work / SEAL
    with first_alone():
        told = seal.kept(done, session.notify)
    if told is not None:
        safetensors.torch.load_model(module, weights)
        return restored(told["history"])
    history = train(module, rows, validation, training, session)
    with first_alone():
        if place().is_main_process:
            session.work.mkdir(parents=True, exist_ok=True)
            safetensors.torch.save_model(module, str(weights))
            seal.write(done, {"history": asdict(history), "files": seal.facts(session.work, [WEIGHTS])})
            checkpoints.keep_only(session.work, None)
    return history
