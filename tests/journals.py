"""Events as an encoder numbers and totals them, for tests of the journal and of what uses it."""

from __future__ import annotations

import hashlib
from typing import Any

from edge.events import dumps
from edge.events.books import Loss, Stream, loss_of
from edge.events.envelope import utc_text
from edge.events.journal import Entry, Journal

DEVICE = {"id": "box", "app": "0"}


class Scribe:
    """Writes down what one source sees, going on where its books are."""

    def __init__(self, stream: Stream, is_live: bool = True) -> None:
        self.source_id = stream.source_id
        self.key = None if is_live else stream.source_key
        self.source_key = stream.source_key
        self.session = stream.session
        self.seq = stream.seq
        self.totals = {r: [t.count_in, t.count_out] for r, t in stream.totals.items()}
        self.classes = {
            r: {n: list(b) for n, b in t.by_class.items()} for r, t in stream.totals.items()
        }
        self.utc_s: float | None = None
        self.made: list[Entry] = []

    def crossed(self, rule: str = "gate", way: str = "in", delta: int = 1, name: str = "person"):
        kind = "line_crossed" if delta > 0 else "line_crossing_reverted"
        return self._counted(kind, rule, way, delta, name)

    def entered(self, track: int, rule: str = "hall"):
        return self._counted("zone_entered", rule, "in", 1, "person", track)

    def exited(self, track_uid: str, rule: str = "hall"):
        return self._counted("zone_exited", rule, "out", 1, "person", track_uid)

    def said(self, kind: str, **more: Any) -> Entry:
        """An event without a rule."""
        return self._entry(kind, more)

    def lost(self, source_id: str, loss: Loss) -> dict[str, Any]:
        """An events_lost event, as a JournalWriter asks for it."""
        rules = [
            {"rule_id": r, "in": i, "out": o, "count": loss.counts[r][1]}
            for r, (i, o) in sorted(loss.deltas.items())
        ]
        lost = {"events": loss.events, "first_seq": loss.first_seq, "last_seq": loss.last_seq}
        return self._event("events_lost", loss.last_seq, {"lost": lost | {"rules": rules}})

    def _counted(self, kind, rule, way, delta, name, track: int | str = 1) -> Entry:
        ways = ("in", "out").index(way)
        total = self.totals.setdefault(rule, [0, 0])
        by_class = self.classes.setdefault(rule, {}).setdefault(name, [0, 0])
        total[ways] += delta
        by_class[ways] += delta
        uid = track if isinstance(track, str) else f"{self.source_id}:{self.session}:{track}"
        return self._entry(
            kind,
            {
                "rule": {"id": rule, "kind": "line", "direction": way, "config_rev": "x"},
                "object": {"track_uid": uid, "class": name, "confidence": 0.9},
                "count": {
                    "delta": delta,
                    "in": total[0],
                    "out": total[1],
                    "net": total[0] - total[1],
                    "by_class": {
                        n: {"in": b[0], "out": b[1]} for n, b in self.classes[rule].items()
                    },
                    "since_media_s": 0.0,
                },
            },
        )

    def _entry(self, kind: str, more: dict[str, Any]) -> Entry:
        self.seq += 1
        event = self._event(kind, self.seq, more)
        entry = Entry(self.source_id, self.key, event, dumps(event))
        self.made.append(entry)
        return entry

    def _event(self, kind: str, seq: int, more: dict[str, Any]) -> dict[str, Any]:
        what = f"{self.source_key} {self.source_id} {self.session} {kind} {seq}"
        time: dict[str, Any] = {"media_s": seq / 10, "frame": seq}
        if self.utc_s is not None:
            time["utc"] = utc_text(self.utc_s)
        return {
            "schema": "count-event/1.0",
            "event_id": hashlib.sha256(what.encode()).hexdigest()[:32],
            "seq": seq,
            "type": kind,
            "time": time,
            "source": {
                "id": self.source_id, "kind": "rtsp", "session": self.session,
                "width": 64, "height": 48,
            },
            **more,
            "device": DEVICE,
        }  # fmt: skip


def live(journal: Journal, source_id: str = "door", **geometry: str) -> Scribe:
    """A live source that begins a session."""
    return Scribe(journal.stream(source_id, None, geometry or {"gate": "g"}, 1000.0))


def recording(journal: Journal, source_id: str = "clip", key: str = "k", **geometry: str) -> Scribe:
    """A file that is counted from its start."""
    stream = journal.stream(source_id, key, geometry or {"gate": "g"}, None)
    return Scribe(stream, is_live=False)


def totals(journal: Journal) -> dict[tuple[str, str], tuple[int, int]]:
    """In and out by source and rule."""
    return {
        (t.source_id, t.rule_id): (t.tally.count_in, t.tally.count_out) for t in journal.totals()
    }


def loss(entries: list[Entry]) -> Loss:
    """What is lost with these."""
    first, *others = [loss_of(entry.read()) for entry in entries]
    for each in others:
        first = first.joined(each)
    return first
