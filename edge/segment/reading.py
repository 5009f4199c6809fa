"""How a model is read: what its input is made of, and what its outputs mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge.errors import ModelError
from edge.segment.letterbox import Letterbox
from edge.segment.limits import Limits
from edge.segment.model_file import ModelFile, Outputs
from edge.segment.preparation import Preparation
from edge.types import Instances

# Instances of one picture, best score first, and how many candidates were dropped for values that
# are no numbers or cannot be. The outputs keep the batch's axis, of length 1, if they have one.
Decode = Callable[[Outputs, Letterbox, Limits], tuple[Instances, int]]


@dataclass(frozen=True, slots=True)
class Reading:
    """One model's convention."""

    family: str
    convention: str  # in words, for `edge models show`
    class_names: tuple[str, ...]
    preparation: Preparation
    decode: Decode
    assumed: str = ""  # what the file does not tell, in words; it is warned of


def described(model: ModelFile, outputs: Outputs) -> str:
    """The outputs that a model really gave, for messages."""
    pairs = zip(model.outputs, outputs, strict=True)
    return ", ".join(f"{name} {output.shape}" for (name, _), output in pairs) or "none"


def named(
    model: ModelFile, asked: Sequence[str] | None, count: int, usual: Sequence[str] = ()
) -> tuple[str, ...]:
    """Names of so many classes: those asked for, the file's own, the usual ones, or numbers.

    Raises:
        ModelError: names are given, but not so many.
    """
    own = model.names()
    names, where = (tuple(asked), "given") if asked else (own, "in the metadata")
    if names and len(names) != count:
        raise ModelError(f"{model.path}: expected {count} class names {where}, got {len(names)}")
    return (
        names
        or (tuple(usual) if len(usual) == count else ())
        or tuple(f"class{k}" for k in range(count))
    )


def named_or(
    model: ModelFile, asked: Sequence[str] | None, usual: Sequence[str]
) -> tuple[str, ...]:
    """Class names of a model whose outputs do not tell how many there are."""
    return tuple(asked or model.names() or usual)


def positions(model: ModelFile) -> dict[str, int]:
    """Which output has a name, in small letters."""
    return {name.lower(): k for k, (name, _) in enumerate(model.outputs)}
