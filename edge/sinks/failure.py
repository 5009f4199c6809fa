"""What a sink says of a batch that it could not deliver. Imports `edge.errors` only."""

from __future__ import annotations

from typing import Literal

from edge.errors import SinkError

Cause = Literal["away", "refused", "content"]


class NotDelivered(SinkError):
    """A batch that the receiver does not have, or only in part; it is to be tried again.

    Attributes:
        cause: `away`: no answer, or the receiver asks for patience. `refused`: it takes nothing
            from us, such as with a wrong password. `content`: it may be for what was sent, so
            that fewer events at once may do better.
        sent: How many lines at the beginning of the batch the receiver surely has.
        retry_after_s: Seconds that the receiver asks to be left alone; 0: it says nothing.
        is_final: The receiver said itself that it does not take this content.
    """

    def __init__(
        self,
        message: str,
        cause: Cause,
        sent: int = 0,
        retry_after_s: float = 0.0,
        is_final: bool = False,
    ) -> None:
        super().__init__(message)
        self.cause = cause
        self.sent = sent
        self.retry_after_s = retry_after_s
        self.is_final = is_final
