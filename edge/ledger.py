"""Where events are kept and sent from: the journal, its writer, and a delivery for each sink."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

from edge import receivers
from edge.config import Config
from edge.delivery import Delivery, Sink, close_all
from edge.errors import EdgeError, SinkError
from edge.events import Encoder, dumps
from edge.events.books import Loss
from edge.events.journal import Entry, Journal, Stream
from edge.journal_writer import JournalWriter
from edge.patience import NEVER
from edge.receivers import Made
from edge.web.status import JournalStatus, SinkStatus

log = logging.getLogger("edge.journal")

FLUSH_S = 2.0  # how long books are waited for: cameras wait too
LEAVING_S = 10.0  # a sink that is taken away has so long to take what waits; nobody waits for it
RETAIN_EVERY_S = 600.0
DAY_S = 86_400.0
LEAVE_S = 1.0  # how long a disk that hangs is waited for at the end
DIRECT = "--events"  # name of the sink that the option names; no sink of a config begins so


class Ledger:
    """The journal and all that goes into it and out of it. Close it, or use it in a `with` block.

    Attributes:
        journal: of all sources.
    """

    def __init__(self, path: Path, config: Config, direct: Sink | None = None) -> None:
        """Open the journal and begin to deliver.

        Args:
            path: of the journal; its folder is made.
            config: its sections `journal` and `sinks`.
            direct: one sink more, as the command line names it.

        Raises:
            SinkError: the journal or a sink cannot be opened.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SinkError(
                f"{path}: expected a place for the journal, got: {error.strerror}; "
                f"give one with journal.path or --journal"
            ) from error
        self.journal = Journal(path)
        self._config = Config()
        self._deliveries: dict[str, Delivery] = {}
        self._leaving: list[Delivery] = []  # of sinks that the config does not have any more
        self._encoders: dict[str, Encoder] = {}
        self._retiring = threading.Thread()
        self._retained_s = -math.inf  # soon: who is switched off every few minutes needs it too
        self.undelivered: dict[str, int] = {}  # events by sink, once it is closed
        self._writer = JournalWriter(self.journal, self._lost_event, self._wake)
        try:
            if direct is not None:
                self._introduce([DIRECT])
                self._deliver(Made(DIRECT, direct, 100, NEVER))
            self.apply(config, self.prepare(config))
        except BaseException:
            with suppress(SinkError):
                self.close(0.0)
            raise

    def prepare(self, config: Config) -> list[Made]:
        """Make the sinks of a config that are new or other ones, for `apply`.

        Raises:
            SinkError: one cannot be made, or the journal cannot be written; nothing is changed.
        """
        made: list[Made] = []
        try:
            for name in config.sinks:
                if not self._is_same(config, name):
                    made.append(receivers.made(config, name, self._config.sinks.get(name)))
            if made:
                self._introduce([one.name for one in made])
        except EdgeError:
            for one in made:
                if not callable(one.sink):
                    one.sink.close()
            raise
        return made

    def apply(self, config: Config, made: list[Made]) -> None:
        """Deliver to the sinks of a config; those that stay the same notice nothing.

        The others end on threads of their own. What has the name of one of them waits for it, so
        that never two send beside each other.

        Args:
            config: its sections `journal` and `sinks`.
            made: what `prepare` gave for it.
        """
        for name in [name for name in self._config.sinks if not self._is_same(config, name)]:
            if (gone := self._deliveries.pop(name, None)) is not None:
                gone.ask_to_end(LEAVING_S)
                self._leaving.append(gone)
        self._leaving = [delivery for delivery in self._leaving if delivery.is_alive]
        self._config = config
        for one in made:
            self._deliver(one)

    def open(self, source_id: str, source_key: str | None, geometry: Mapping[str, str]) -> Stream:
        """The books of a source; `source_key` is None for a live one.

        Those of a live one go on, so they are not opened before they have all its events.

        Raises:
            SinkError: the journal cannot be written.
        """
        if source_key is None and not self.flush():
            raise SinkError(
                f"{self.journal.path}: expected all events in the journal before the books of "
                f"'{source_id}' are opened, got some that wait in memory"
            )
        now_utc_s = time.time() if source_key is None else None
        return self.journal.stream(source_id, source_key, geometry, now_utc_s)

    def open_recording(
        self,
        source_id: str,
        source_key: str,
        geometry: Mapping[str, str],
        decided_by: Mapping[str, str],
    ) -> Stream:
        """Begin to count a recording, perhaps again; events that are already there are ignored.

        Args:
            source_id: name of the camera.
            source_key: content key of the recording.
            geometry: fingerprint of the geometry of each rule.
            decided_by: fingerprints of what decides its events, by name; with another one of the
                same name, other events would get the ids of those that are there.

        Raises:
            SinkError: it was counted by something else before, or the journal cannot be written.
        """
        before = self.journal.state(source_id, source_key) or {}
        if other := [what for what, its in decided_by.items() if before.get(what, its) != its]:
            named = ", ".join(what.partition(" (")[0] for what in other)
            raise SinkError(
                f"{self.journal.path}: expected the settings with which '{source_id}' was counted "
                f"into this journal before, got another {named}; use another journal, or another "
                f"name for the camera"
            )
        stream = self.open(source_id, source_key, geometry)
        self._writer.save_state(source_id, source_key, {**before, **decided_by})
        return stream

    def sender(
        self,
        source_id: str,
        source_key: str | None,
        encoder: Encoder,
        most_waiting: int | None = None,
        stop: threading.Event | None = None,
    ) -> Callable[[dict[str, Any]], None]:
        """What takes the events of a source.

        It never waits, unless `most_waiting` events do: a recording can wait, a camera cannot.
        When `stop` is set, it does not wait either.
        """
        self._encoders[source_id] = encoder

        def send(event: dict[str, Any]) -> None:
            while most_waiting is not None and self._writer.waiting >= most_waiting:
                if self._writer.has_ended or (stop is not None and stop.is_set()):
                    break
                self._writer.flush(1.0)
            self._writer.put(Entry(source_id, source_key, event, dumps(event)))

        return send

    def together(
        self, source_id: str, state: Callable[[], Mapping[str, Any]] | None = None
    ) -> AbstractContextManager[None]:
        """What a source sends within is kept as a whole, with a live one's state, or not at all."""
        return self._writer.together(source_id, state)

    def save_state(self, source_id: str, state: Mapping[str, Any]) -> None:
        """Keep what a live source needs to go on."""
        if state:
            self._writer.save_state(source_id, None, state)

    def flush(self, timeout_s: float | None = None) -> bool:
        """Wait until all events are in the journal; False, and said, if they are not by then."""
        longest_s = FLUSH_S if timeout_s is None else timeout_s
        is_failing = self._writer.failing_since_s is not None
        is_written = self._writer.flush(longest_s / 10 if is_failing else longest_s)
        if not is_written:
            log.error("%d events are not in the journal yet", self._writer.waiting)
        return is_written

    def retain(self) -> None:
        """At first and every ten minutes: delete what is too old or much, on an own thread."""
        now_s = time.monotonic()
        if now_s - self._retained_s < RETAIN_EVERY_S or self._retiring.is_alive():
            return
        self._retained_s = now_s
        self._retiring = threading.Thread(target=self._retain, name="edge-retain", daemon=True)
        self._retiring.start()

    def close(self, timeout_s: float) -> bool:
        """Write and deliver what waits, as far as receivers take it in time; the rest stays.

        Returns:
            Whether every sink has everything; `undelivered` says which does not.

        Raises:
            SinkError: events could not be written to the journal, and are lost.
        """
        began_s = time.monotonic()
        is_written = self._writer.close(max(1.0, timeout_s / 2))
        left_s = max(0.0, timeout_s - (time.monotonic() - began_s))
        delivered = close_all([*self._deliveries.values(), *self._leaving], left_s)
        # A thread that hangs with the disk holds the journal: closing it could wait for ever.
        closing = threading.Thread(target=self._close_journal, name="edge-close", daemon=True)
        closing.start()
        closing.join(LEAVE_S)
        if closing.is_alive():
            log.error("%s: still busy, and left as it is", self.journal.path)
        if not is_written:
            raise SinkError(
                f"{self.journal.path}: expected all events in the journal at the end, got "
                f"{self._writer.waiting} that could not be written"
            )
        return delivered

    def _close_journal(self) -> None:
        self.undelivered = {d.name: d.lag for d in self._deliveries.values() if d.lag}
        if self._retiring.is_alive():
            self._retiring.join(LEAVE_S / 2)
        self.journal.close()

    def journal_status(self) -> JournalStatus:
        """How the journal is."""
        since_s = self._writer.failing_since_s
        return JournalStatus(
            waiting=self._writer.waiting,
            failing_s=None if since_s is None else time.monotonic() - since_s,
            lost=sum(self._writer.lost.values()),
            size_bytes=self._size_bytes(),
        )

    def sink_statuses(self) -> list[SinkStatus]:
        """How each sink is."""
        return [
            SinkStatus(d.name, d.lag, d.oldest_waiting_s, d.failures, d.dead_letters, d.last_error)
            for d in list(self._deliveries.values())
        ]

    def _introduce(self, names: Collection[str]) -> None:
        """Let sinks that the journal does not know begin with what is new."""
        known = {sink.name for sink in self.journal.sinks()}
        for name in names:
            if name not in known:
                self.journal.delivered(name, self.journal.newest)

    def _is_same(self, config: Config, name: str) -> bool:
        """Whether a sink of a config is already delivered to as it asks."""
        old = self._config
        is_same = old.sinks.get(name) == config.sinks.get(name)
        return name in self._deliveries and is_same and old.device_id == config.device_id

    def _deliver(self, made: Made) -> None:
        self._deliveries[made.name] = Delivery(
            made.name,
            made.sink,
            self.journal,
            made.batch_size,
            made.limits,
            after=[delivery for delivery in self._leaving if delivery.name == made.name],
        )

    def _wake(self) -> None:
        for delivery in list(self._deliveries.values()):
            delivery.wake()

    def _lost_event(self, source_id: str, loss: Loss) -> dict[str, Any]:
        return self._encoders[source_id].lost(loss)

    def _retain(self) -> None:
        section = self._config.journal
        names = tuple(self._deliveries)
        try:
            self.journal.retain(section.keep_days * DAY_S, round(section.max_mb * 1e6), names)
        except SinkError as error:
            log.error("%s", error)

    def _size_bytes(self) -> int:
        try:
            return self.journal.size_bytes
        except SinkError:
            return 0
