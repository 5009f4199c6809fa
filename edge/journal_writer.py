"""Events to the journal from a thread of its own, so that no camera waits for a disk."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from edge.errors import SinkError
from edge.events import dumps
from edge.events.books import Loss, MakeLostEvent, loss_of
from edge.events.journal import Entry, Journal, JournalError

log = logging.getLogger("edge.journal")

_LARGEST_BATCH = 1000  # events in one transaction
_RETRY_S = 1.0
_REPEAT_S = 60.0  # a lasting failure is logged so often
_Key = tuple[str, str | None]  # source_id, source_key
_State = Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class _Whole:
    """Events that are written in one transaction, with the states that follow them."""

    begin: int  # number of the event before the first
    end: int  # number of the last
    states: Mapping[_Key, _State]


class JournalWriter:
    """Takes events without ever waiting and appends them in order.

    While the journal cannot be written (disk full), events wait in memory and it is tried again
    every second. Beyond `max_waiting` the oldest are dropped; as soon as the journal works again,
    an `events_lost` event for each source states which, in their place.
    """

    def __init__(
        self,
        journal: Journal,
        make_lost_event: MakeLostEvent,
        on_written: Callable[[], None] | None = None,
        max_waiting: int = 100_000,
        retry_s: float = _RETRY_S,
    ) -> None:
        """Start the thread.

        Args:
            journal: to write to; closed by whoever opened it, after this writer.
            make_lost_event: see `MakeLostEvent`.
            on_written: called in the writer's thread after each batch, to wake deliveries.
            max_waiting: most events kept in memory; about 1 kB each while the disk is full.
            retry_s: seconds from a failed attempt to the next.
        """
        self._journal = journal
        self._make_lost_event = make_lost_event
        self._on_written = on_written
        self._max_waiting = max_waiting
        self._retry_s = retry_s
        self._changed = threading.Condition()
        self._waiting: deque[Entry] = deque()
        self._batch_size = _LARGEST_BATCH  # after a failure it begins again with 1
        self._in_flight = 0  # the first so many of these are being written
        self._put = 0  # events ever taken
        self._written = 0  # of these written or dropped: all before have left memory
        self._states: dict[_Key, tuple[int, _State]] = {}  # with _put when it was given
        self._wholes: deque[_Whole] = deque()
        self._losses: dict[_Key, Loss] = {}  # not yet in the journal
        self._lost: dict[str, int] = {}
        self._failing_since_s: float | None = None
        self._logged_s = 0.0
        self._is_urgent = False  # do not wait before the next attempt
        self._is_closing = False
        self._crash: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="edge-journal", daemon=True)
        self._thread.start()

    # Any thread

    def put(self, entry: Entry) -> None:
        """Take an event.

        Raises:
            SinkError: the writer is closed, or has ended by an error.
        """
        with self._changed:
            self._check_alive()
            is_failing = self._failing_since_s is not None
            # The line alone takes a fifth of the memory; the journal reads the rest off it.
            self._waiting.append(replace(entry, event=None) if is_failing else entry)
            self._put += 1
            if len(self._waiting) > self._max_waiting:
                self._drop_oldest()
            self._changed.notify_all()

    @contextmanager
    def together(self, source_id: str, state: Callable[[], _State] | None = None) -> Iterator[None]:
        """What is put within is written in one transaction, with a live source's state after it.

        Raises:
            SinkError: the writer is closed, or has ended by an error.
        """
        with self._changed:  # which `put` may take again
            before = self._put
            yield
            states: dict[_Key, _State] = {} if state is None else {(source_id, None): state()}
            self._wholes.append(_Whole(before, self._put, states))

    def save_state(self, source_id: str, source_key: str | None, state: _State) -> None:
        """Keep this state of a source, together with or after all events put so far.

        Raises:
            SinkError: the writer is closed, or has ended by an error.
        """
        with self._changed:
            self._check_alive()
            self._states[source_id, source_key] = (self._put, state)
            self._changed.notify_all()

    @property
    def waiting(self) -> int:
        """Events in memory that are not in the journal yet."""
        return len(self._waiting)

    @property
    def has_ended(self) -> bool:
        """Whether an error has ended the thread, so that `put` raises."""
        return self._crash is not None

    @property
    def failing_since_s(self) -> float | None:
        """`time.monotonic()` of the first failed attempt since the last good one; else None."""
        return self._failing_since_s

    @property
    def lost(self) -> dict[str, int]:
        """Events dropped since the start, by source id."""
        with self._changed:
            return dict(self._lost)

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything is written that was put before; False if it is not by then."""
        with self._changed:
            target = self._put
            self._is_urgent = True
            self._changed.notify_all()
            self._changed.wait_for(
                lambda: self._is_written(target) or self._crash is not None, timeout_s
            )
            return self._is_written(target)

    def close(self, timeout_s: float) -> bool:
        """Write what waits and end the thread; False, and logged, if something is not written."""
        is_written = self.flush(timeout_s)
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        self._thread.join(timeout_s if is_written else min(timeout_s, 0.5))  # it hangs, or waits
        if not is_written:
            log.error("closed with %d events that are not in the journal", self.waiting)
        return is_written

    # Under the lock

    def _check_alive(self) -> None:
        if self._crash is not None:
            raise SinkError(
                f"journal writer: expected to go on, got {self._crash!r}"
            ) from self._crash
        if self._is_closing:
            raise SinkError("journal writer: expected no event after its end, got one")

    def _is_written(self, target: int) -> bool:
        return (
            self._written >= target
            and not self._losses
            and all(given > target for given, _ in self._states.values())
            and all(whole.end > target for whole in self._wholes)
        )

    def _next_batch(self) -> int:
        """How many events come next, so that what is kept whole is not divided."""
        last = self._written + min(self._batch_size, len(self._waiting))
        last = next((w.end for w in self._wholes if w.begin < last < w.end), last)
        return last - self._written

    def _states_until(self, last: int) -> dict[_Key, tuple[int, _State]]:
        """The newest state of each source after event number `last` at most."""
        states: dict[_Key, tuple[int, _State]] = {}
        for whole in self._wholes:
            if whole.end <= last:
                states |= {key: (whole.end, state) for key, state in whole.states.items()}
        for key, (put, state) in self._states.items():
            if put <= last and put >= states.get(key, (0, None))[0]:
                states[key] = put, state
        return states

    def _drop_oldest(self) -> None:
        """Drop the oldest event that is not being written at this moment."""
        if len(self._waiting) <= self._in_flight:
            return
        oldest = self._waiting[self._in_flight]
        del self._waiting[self._in_flight]
        self._written += 1
        key, loss = (oldest.source_id, oldest.source_key), loss_of(oldest.read())
        before = self._losses.get(key)
        self._losses[key] = loss if before is None else before.joined(loss)
        self._lost[oldest.source_id] = self._lost.get(oldest.source_id, 0) + 1
        if self._lost[oldest.source_id] == 1:
            log.error(
                "%s: %d events wait in memory, no room for more: the oldest are dropped",
                oldest.source_id,
                len(self._waiting),
            )

    # The thread

    def _run(self) -> None:
        try:
            while self._step():
                pass
        except BaseException as error:  # a mistake of ours: tell whoever calls next
            log.exception("the journal writer has ended")
            with self._changed:
                self._crash = error
                self._changed.notify_all()

    def _step(self) -> bool:
        """Wait for work and write one batch; False at the end."""
        with self._changed:
            self._changed.wait_for(self._has_work)
            if self._is_closing:
                return False
            batch = list(islice(self._waiting, self._next_batch()))
            self._in_flight = len(batch)
            last = self._written + len(batch)
            states = self._states_until(last)
            losses, self._losses = self._losses, {}
            is_all = len(batch) == len(self._waiting)
        try:
            complete, later = self._with_losses(batch, losses, is_all)
            self._journal.append(complete, {key: state for key, (_, state) in states.items()})
        except JournalError as error:
            self._failed(error, losses)
        else:
            self._succeeded(len(batch), states, later)
            if self._on_written is not None:
                self._on_written()
        return True

    def _has_work(self) -> bool:
        has_state = self._states or self._wholes
        return bool(self._waiting or has_state or self._losses or self._is_closing)

    def _with_losses(
        self, batch: list[Entry], losses: Mapping[_Key, Loss], is_all: bool
    ) -> tuple[list[Entry], dict[_Key, Loss]]:
        """The batch with each loss in its place, and the losses whose place comes later."""
        complete, left = [], dict(losses)
        for entry in batch:
            key = (entry.source_id, entry.source_key)
            if key in left and entry.read()["seq"] > left[key].last_seq:
                complete.append(self._entry(key, left.pop(key)))
            complete.append(entry)
        if is_all:
            complete += [self._entry(key, loss) for key, loss in left.items()]
            left = {}
        return complete, left

    def _entry(self, key: _Key, loss: Loss) -> Entry:
        event = self._make_lost_event(key[0], loss)
        return Entry(*key, event, dumps(event))

    def _succeeded(
        self, count: int, states: Mapping[_Key, tuple[int, _State]], later: Mapping[_Key, Loss]
    ) -> None:
        with self._changed:
            self._keep_losses(later)
            for _ in range(count):
                self._waiting.popleft()
            self._in_flight = 0
            self._written += count
            while self._wholes and self._wholes[0].end <= self._written:
                self._wholes.popleft()
            for key, given in states.items():
                if self._states.get(key) == given:
                    del self._states[key]
            self._batch_size = min(4 * self._batch_size, _LARGEST_BATCH)
            if self._failing_since_s is not None and (
                not self._waiting or self._batch_size == _LARGEST_BATCH
            ):
                failing_s = time.monotonic() - self._failing_since_s
                log.warning("the journal works again after %.0f s", failing_s)
                self._failing_since_s = None
            self._is_urgent = False
            self._changed.notify_all()

    def _keep_losses(self, losses: Mapping[_Key, Loss]) -> None:
        for key, loss in losses.items():
            since = self._losses.get(key)
            self._losses[key] = loss if since is None else loss.joined(since)

    def _failed(self, error: JournalError, losses: Mapping[_Key, Loss]) -> None:
        """Keep everything and wait a moment."""
        with self._changed:
            self._in_flight, self._batch_size = 0, 1
            self._keep_losses(losses)
            now_s = time.monotonic()
            if self._failing_since_s is None:
                self._failing_since_s = self._logged_s = now_s
                log.error("%s; events wait in memory until it works again", error)
            elif now_s - self._logged_s >= _REPEAT_S:
                self._logged_s = now_s
                failing_s = now_s - self._failing_since_s
                log.error(
                    "%s; for %.0f s by now, %d events wait in memory, %d are dropped",
                    error,
                    failing_s,
                    len(self._waiting),
                    sum(self._lost.values()),
                )
            self._is_urgent = False
            self._changed.wait_for(lambda: self._is_closing or self._is_urgent, self._retry_s)
