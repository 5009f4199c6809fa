"""Brings events from the journal to one sink, at least once and in order, whatever it does.

The journal remembers how far each sink has come. A receiver that is away, slow or refuses holds
up its own thread only.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from edge.errors import SinkError
from edge.events.rows import Row
from edge.patience import NEVER, USUAL, Limits, Pace
from edge.sinks.failure import NotDelivered

log = logging.getLogger("edge.sink")

IDLE_S = 1.0  # between two looks at the journal and the connection if nobody calls `wake`
LOOK_S = 0.2  # at the end that is asked for, while a predecessor is waited for


class Sink(Protocol):
    """A receiver of lines, as in edge/sinks."""

    def send(self, lines: Sequence[str]) -> None:
        """Return when the receiver surely has all; no lines: see to the connection only.

        Raises:
            SinkError: It may not have all; NotDelivered says more.
        """

    def close(self) -> None:
        """End the connection."""


class Journal(Protocol):
    """What a delivery needs of the journal; all raise SinkError."""

    @property
    def newest(self) -> int:
        """Position of the newest event."""

    def after(self, position: int, limit: int) -> list[Row]:
        """Up to `limit` events after a position, in order."""

    def position(self, sink: str) -> int:
        """Up to where a sink has everything."""

    def delivered(self, sink: str, position: int) -> None:
        """Note that a sink has everything up to a position."""

    def dead_letter(self, sink: str, rows: Sequence[Row], reason: str) -> None:
        """Set aside events that a sink gives up."""


class Delivery:
    """A thread that sends a sink what it does not have yet, and notes in the journal what it has.

    A batch that fails is made smaller, and larger again with each success, so that one event
    that is refused, or a receiver too slow for so many, does not hold up the others. Order is
    kept: nothing overtakes an event that is refused, until that is set aside: when it is old, or
    when the receiver has said for some time that it does not take this one.
    """

    def __init__(  # noqa: PLR0913
        self,
        name: str,
        sink: Sink | Callable[[], Sink],
        journal: Journal,
        batch_size: int = 100,
        limits: Limits = NEVER,
        pace: Pace = USUAL,
        after: Sequence[Delivery] = (),
    ) -> None:
        """Begin to deliver.

        Args:
            name: Of the sink, in the journal and the log.
            sink: The receiver, or what makes it on the thread; the delivery closes it.
            journal: Where events come from.
            batch_size: Most events at once.
            limits: When an event that cannot be delivered is set aside.
            pace: How long to wait after failures.
            after: Deliveries that must have ended before, so that none sends beside this one.
        """
        self.name = name
        self.failures = 0  # since the beginning
        self.dead_letters = 0
        self.last_error = ""  # of the present failure; "" while all is well
        self._make = sink if callable(sink) else None
        self._sink: Sink | None = None if callable(sink) else sink
        self._journal, self._pace, self._limits = journal, pace, limits
        self._after = list(after)
        self._batch_size = batch_size
        self._limit = batch_size
        self._position: int | None = None  # all up to here is delivered; None: not read yet
        self._saved = 0
        self._front: Row | None = None  # the oldest that waits
        self._in_a_row = 0  # failures without success
        self._failing_since_s = 0.0  # monotonic, if there are any
        self._refused: tuple[int, float] | None = None  # position of an event, since when
        self._condition = threading.Condition()
        self._woken = False
        self._end_by_s: float | None = None  # monotonic, once `close` is called
        self._thread = threading.Thread(target=self._work, name=f"edge-sink-{name}", daemon=True)
        self._thread.start()

    @property
    def lag(self) -> int:
        """How many events the sink does not have yet."""
        try:
            if self._position is None and (before := self._after[:1]):
                return before[0].lag
            return max(0, self._journal.newest - (self._position or 0))
        except SinkError:
            return 0

    @property
    def oldest_waiting_s(self) -> float:
        """Age in seconds of the oldest event that the sink does not have; 0 if it has all."""
        front = self._front
        return 0.0 if front is None else max(0.0, time.time() - front.received_unix_s)

    @property
    def failing_s(self) -> float:
        """For how many seconds nothing could be delivered; 0 if the last try succeeded."""
        return time.monotonic() - self._failing_since_s if self._in_a_row else 0.0

    def wake(self) -> None:
        """Say that the journal has something new. Never waits; does not shorten a back-off."""
        with self._condition:
            self._woken = True
            self._condition.notify()

    def close(self, timeout_s: float = 5.0) -> bool:
        """Deliver what waits, if the sink takes it at once, and end. Who fails gets a last try.

        Args:
            timeout_s: How long to wait. A send that still hangs then is left alone: its events
                stay in the journal, and its thread ends with the program or the send.

        Returns:
            Whether the sink has everything.
        """
        return close_all([self], timeout_s)

    def ask_to_end(self, timeout_s: float) -> None:
        """Have it deliver what waits, for so long at most, and end; as `close`, without waiting."""
        self._ask_to_end(time.monotonic() + timeout_s)

    @property
    def is_alive(self) -> bool:
        """Whether its thread has not ended."""
        return self._thread.is_alive()

    def _ask_to_end(self, by_s: float) -> None:
        with self._condition:
            self._end_by_s = by_s if self._end_by_s is None else min(by_s, self._end_by_s)
            self._condition.notify()

    def _joined(self, by_s: float) -> bool:
        self._thread.join(max(0.0, by_s - time.monotonic()))
        if self._thread.is_alive():
            log.warning(
                "sink %s: still busy; what it does not have stays in the journal", self.name
            )
            return False
        return self._front is None and not self._in_a_row

    # The thread

    def _work(self) -> None:
        try:
            is_last = False  # once it shall end, one more try, successes apart
            while self._is_alone() and not self._is_at_end(is_last):
                is_last = self._end_by_s is not None
                wait_s = self._turn()
                self._pause(wait_s)
        finally:
            try:
                if self._sink is not None:
                    self._sink.close()
            except Exception as error:
                log.warning("sink %s: not closed properly: %s", self.name, error)

    def _is_alone(self) -> bool:
        """Wait for those before to end; False: they have not, and this one shall."""
        while self._after:
            self._after[0]._thread.join(LOOK_S)
            if self._after[0].is_alive:
                self.last_error = "still busy with what it was before the config changed"
                if self._end_by_s is not None and time.monotonic() >= self._end_by_s:
                    return False
            else:
                del self._after[0]
                self.last_error = ""
        return True

    def _turn(self) -> float:
        """One try; seconds until the next."""
        rows: list[Row] = []
        with self._condition:
            self._woken = False
        try:
            if self._sink is None and self._make is not None:
                self._sink = self._make()
            if self._position is None:
                self._position = self._saved = self._journal.position(self.name)
            newest = self._journal.newest
            rows = self._journal.after(self._position, self._limit)
            self._front = rows[0] if rows else None
            if self._sink is not None:
                self._sink.send([row.line for row in rows])
            self._advance(rows[-1].position if rows else max(newest, self._position))
        except Exception as error:
            return self._failed(error, rows)
        self._limit = min(self._batch_size, self._limit * 2)
        self._succeeded()
        return 0.0 if rows else IDLE_S

    def _succeeded(self) -> None:
        if self._in_a_row:
            log.info("sink %s: delivers again after %.0f s", self.name, self.failing_s)
        self._in_a_row = 0
        self.last_error = ""

    def _failed(self, error: Exception, rows: list[Row]) -> float:
        """Draw the conclusions; seconds until the next try."""
        if not isinstance(error, SinkError):  # a mistake of ours must not end the thread
            log.error("sink %s: unexpected error", self.name, exc_info=error)
        # The text of an error that is not ours may hold an address with its token.
        text = str(error) if isinstance(error, SinkError) else f"unexpected {type(error).__name__}"
        known = error if isinstance(error, NotDelivered) else NotDelivered(text, "away")
        if known.sent:
            self._advance(rows[known.sent - 1].position)
            self._in_a_row = 0
            rows = rows[known.sent :]
        if not self._in_a_row:
            self._failing_since_s = time.monotonic()
        self._in_a_row += 1
        self.failures += 1
        self.last_error = text or type(error).__name__
        self._front = rows[0] if rows else None
        self._limit = max(1, min(self._limit, len(rows) or self._limit) // 2)
        if known.cause == "content" and len(rows) > 1:
            return 0.0  # with fewer, at once
        if self._gave_up(rows, known):
            return 0.0
        wait_s = self._pace.after(self._in_a_row, known.retry_after_s)
        level = logging.WARNING if known.cause == "away" else logging.ERROR
        log.log(level, "sink %s: %s; next try in %g s", self.name, self.last_error, wait_s)
        return wait_s

    def _gave_up(self, rows: list[Row], error: NotDelivered) -> bool:
        """Set aside what is too old or refused; whether that lets the next event be tried."""
        limits = self._limits
        try:
            if rows and error.is_final:
                refused_s = self._refused_s(rows[0])
                if limits.is_refused(refused_s):
                    self._set_aside(rows[:1], error, f"refused for {refused_s:.0f} s")
                    return True
            while old := limits.too_old(rows, self.failing_s, time.time()):
                self._set_aside(old, error, f"older than {limits.dead_letter_s:g} s")
                if error.cause == "content":
                    return True
                # Nothing is taken at all: what is as old would only fail as well.
                rows = self._journal.after(old[-1].position, self._batch_size)
                self._front = rows[0] if rows else None
        except SinkError as trouble:
            log.error("sink %s: cannot set aside what it refuses: %s", self.name, trouble)
        return False

    def _refused_s(self, row: Row) -> float:
        """For how long this event is refused. Each has its own time: perhaps all are refused."""
        now_s = time.monotonic()
        if self._refused is None or self._refused[0] != row.position:
            self._refused = row.position, now_s
        return now_s - self._refused[1]

    def _set_aside(self, rows: list[Row], error: NotDelivered, why: str) -> None:
        """Give events up.

        Raises:
            SinkError: the journal cannot be written.
        """
        self._journal.dead_letter(self.name, rows, str(error))
        self._advance(rows[-1].position)
        self.dead_letters += len(rows)
        log.error(
            "sink %s: gave up %d events %s, event_id %s to %s: %s",
            *(self.name, len(rows), why, rows[0].event_id, rows[-1].event_id, error),
        )

    def _advance(self, position: int) -> None:
        """Everything up to `position` is delivered, which the journal may learn later."""
        self._position = position
        if position == self._saved:
            return
        try:
            self._journal.delivered(self.name, position)
            self._saved = position
        except SinkError as error:  # the disk is full: after a crash some events come again
            log.warning("sink %s: its position is not noted: %s", self.name, error)

    def _pause(self, wait_s: float) -> None:
        is_idle = not self._in_a_row
        with self._condition:
            self._condition.wait_for(
                lambda: self._end_by_s is not None or (is_idle and self._woken), wait_s
            )

    def _is_at_end(self, was_last: bool) -> bool:
        if self._end_by_s is None:
            return False
        if time.monotonic() >= self._end_by_s:
            return True
        if self._in_a_row:  # not even if it has all events: totals may follow them
            return was_last
        return self._front is None and self._position is not None and self.lag == 0


def close_all(deliveries: Sequence[Delivery], timeout_s: float = 5.0) -> bool:
    """Close several at the same time, within `timeout_s` seconds together; as `Delivery.close`."""
    by_s = time.monotonic() + timeout_s
    for delivery in deliveries:
        delivery._ask_to_end(by_s)
    return all([delivery._joined(by_s) for delivery in deliveries])
