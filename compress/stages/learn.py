"""A student learning from its teacher: what distillation and the recovery after a cut share."""

from transformers import PreTrainedModel

from compress.config.settings import Distill
from compress.data.batches import Encoded
from compress.errors import InputError
from compress.losses import UNLABELLED
from compress.registry import LOSSES
from compress.stages.context import Context
from compress.stages.material import session
from compress.training.history import History
from compress.training.objective import Distillation
from compress.training.teacher_cache import cached_logits, worth_caching
from compress.training.trainer import train


def learn(
    student: PreTrainedModel,
    teacher: PreTrainedModel,
    rows: Encoded,
    validation: Encoded,
    settings: Distill,
    context: Context,
) -> History:
    """Train the student in place. The teacher's logits are computed once where nothing else of it is read.

    Raises: InputError if there are rows without labels, and all losses read labels
    """
    if (rows.labels == UNLABELLED).any() and all(LOSSES.load(name).reads == "labels" for name in settings.losses):
        raise InputError(
            f"there are rows without labels, and the losses {', '.join(settings.losses)} learn from labels alone. "
            "Give `distill.data: [train]`, or a loss that reads the teacher's answers, such as `soft_label`."
        )
    stored = None
    if worth_caching(settings):
        # The work folder belongs to one teacher and one set of rows, so the name needs to say no more.
        stored = cached_logits(teacher, rows, context.work, "teacher", context.notify, precision=settings.precision)
    module = Distillation(student, teacher, settings, seed=context.seed, teacher_logits=stored)
    return train(module, rows, validation, settings, session(context))
