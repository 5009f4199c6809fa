"""The segmenter: one model, from picture to instances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import ModelError
from edge.segment import sizing
from edge.segment.families import recognised
from edge.segment.letterbox import Letterbox
from edge.segment.limits import Limits
from edge.segment.model_file import Outputs
from edge.segment.preparation import Canvas
from edge.segment.reading import described
from edge.segment.session import Session
from edge.types import U8, Instances

MOST_SIZES = 8  # of frames whose canvases are kept


@dataclass(frozen=True, slots=True)
class Prepared:
    """A picture as the network takes it, and how to find the way back."""

    tensor: NDArray[Any]  # (1, 3, h, w), or without the 1 if the model takes it so; float32 or 16
    box: Letterbox


class Segmenter:
    """Runs an instance segmentation model on pictures of any size.

    `segment` is `prepare`, `infer` and `decode` in a row; they are apart so that each can be
    timed. `dropped` counts candidates whose values were no numbers.
    """

    def __init__(
        self,
        session: Session,
        limits: Limits,
        longest_px: int | None = None,
        family: str | None = None,
        class_names: Sequence[str] | None = None,
    ) -> None:
        """Find out how the session's model is to be read.

        Args:
            session: the opened model.
            limits: thresholds.
            longest_px: longest side of the input, for models that take any size; None: the
                model's own `imgsz`, else what is usual in its family. To be among the settings of
                the session as well, which then tries it.
            family: see `edge.segment.families`; None: found out.
            class_names: in the order of the model's classes; None: its own.

        Raises:
            ModelError: no instance segmentation model, or a size that it does not take.
        """
        self.session = session
        self.limits = limits
        self.dropped = 0
        model = session.file
        self._fixed_hw = model.fixed_hw
        if self._fixed_hw and longest_px not in (None, max(self._fixed_hw)):
            raise ModelError(
                f"{model.path}: expected its fixed input size {max(self._fixed_hw)}, got "
                f"{longest_px}"
            )
        outputs = session.first_outputs()
        if model.batch and model.batch > 1:
            outputs = [output[:1] for output in outputs]
        self.reading = recognised(model, outputs, family, class_names)
        how = self.reading.preparation
        stride = sizing.stride_px(model.metadata)
        self._preparation = replace(how, stride_px=stride) if stride else how
        usual = how.size_px if how.sizing == "longest" else None
        self.longest_px = (
            max(self._fixed_hw)
            if self._fixed_hw
            else sizing.longest_px(model.metadata, longest_px, usual)
        )
        self.class_names = self.reading.class_names
        # For each size of frame one more than there are runs at once, to be filled meanwhile.
        self._canvases: dict[tuple[int, int], list[Canvas]] = {}

    @property
    def at_once(self) -> int:
        """How many threads may usefully be in `infer` at the same time."""
        return self.session.at_once

    def segment(self, image: U8) -> Instances:
        """Instances in one BGR uint8 picture (H, W, 3), best score first."""
        prepared = self.prepare(image)
        return self.decode(self.infer(prepared), prepared)

    def prepare(self, image: U8) -> Prepared:
        """The network's input for `image`; it stays for `at_once` more calls with its size."""
        hw = (image.shape[0], image.shape[1])
        canvases = self._canvases.get(hw)
        if canvases is None:
            how, dtype = self._preparation, self.session.file.input_dtype
            box = how.placed(hw, self._fixed_hw, self.longest_px)
            canvases = [Canvas(box, how, dtype) for _ in range(self.at_once + 1)]
            self._canvases[hw] = canvases
            if len(self._canvases) > MOST_SIZES:
                del self._canvases[next(iter(self._canvases))]
        oldest = canvases.pop(0)
        canvases.append(oldest)
        tensor = oldest.fill(image)
        return Prepared(tensor[0] if self.session.file.is_single else tensor, oldest.box)

    def infer(self, prepared: Prepared) -> Outputs:
        """The model's outputs for one input; may run on several other threads."""
        if self.session.file.batch in (1, None):
            return self.session.run(prepared.tensor)
        return self._together([prepared])[0]

    @property
    def takes_batches(self) -> bool:
        """Whether the model sees several pictures at once."""
        return self.session.file.batch != 1

    def infer_all(self, prepared: Sequence[Prepared]) -> list[Outputs]:
        """The model's outputs for each of several inputs, in as few runs as it takes.

        Inputs of different sizes need a run each; a model of a fixed number of pictures gets so
        many, black ones among them.

        Raises:
            ModelError: the model failed, or its outputs do not tell the pictures apart.
        """
        alike = len({one.tensor.shape for one in prepared}) == 1
        if len(prepared) == 1 or not alike or not self.takes_batches:
            return [self.infer(one) for one in prepared]
        most = self.session.file.batch or len(prepared)
        parts = [prepared[k : k + most] for k in range(0, len(prepared), most)]
        return [outputs for part in parts for outputs in self._together(part)]

    def _together(self, prepared: Sequence[Prepared]) -> list[Outputs]:
        size = self.session.file.batch or len(prepared)
        _, *chw = prepared[0].tensor.shape
        black = np.zeros((size - len(prepared), *chw), self.session.file.input_dtype)
        outputs = self.session.run(np.concatenate([*(one.tensor for one in prepared), black]))
        if any(output.shape[:1] != (size,) for output in outputs):
            raise ModelError(
                f"{self.session.file.path}: expected outputs for {size} pictures, got "
                f"{described(self.session.file, outputs)}; export it for one picture a run"
            )
        return [[output[k : k + 1] for output in outputs] for k in range(len(prepared))]

    def decode(self, outputs: Outputs, prepared: Prepared) -> Instances:
        """Instances from the outputs for `prepared`."""
        found, broken = self.reading.decode(outputs, prepared.box, self.limits)
        self.dropped += broken
        return found
