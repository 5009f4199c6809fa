from __future__ import annotations

import json
import logging
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from receiver import Answer, Receiver

from edge.delivery import Delivery, close_all
from edge.errors import SinkError
from edge.events.books import Entry
from edge.events.journal import Journal
from edge.events.rows import Row
from edge.patience import Limits, Pace
from edge.sinks.failure import NotDelivered
from edge.sinks.rotating import RotatingFile
from edge.sinks.webhook import Endpoint, WebhookSink

FAST = Pace(first_s=0.01, longest_s=0.05)


class FakeJournal:
    """Rows in memory; `is_full` makes writing fail."""

    def __init__(self, count=0, received_unix_s=None):
        self.rows, self.positions, self.dead = [], {}, []
        self.is_full = False
        self.add(count, received_unix_s)

    def add(self, count, received_unix_s=None):
        at_s = time.time() if received_unix_s is None else received_unix_s
        for _ in range(count):
            k = len(self.rows) + 1
            self.rows.append(Row(k, f"id{k}", json.dumps({"event_id": f"id{k}"}), at_s))

    @property
    def newest(self):
        return len(self.rows)

    def after(self, position, limit):
        return [row for row in list(self.rows) if row.position > position][:limit]

    def position(self, sink):
        return self.positions.get(sink, 0)

    def delivered(self, sink, position):
        if self.is_full:
            raise SinkError("journal: disk full")
        self.positions[sink] = position

    def dead_letter(self, sink, rows, reason):
        self.dead += [(row.event_id, reason) for row in rows]


class FakeSink:
    """Records batches; `rule` gets the ids of one and may raise."""

    def __init__(self, rule=lambda ids: None):
        self.rule, self.got, self.tried, self.is_closed = rule, [], [], False

    def send(self, lines):
        ids = [json.loads(line)["event_id"] for line in lines]
        self.tried.append(ids)
        try:
            self.rule(ids)
            self.got += ids
        except NotDelivered as error:
            self.got += ids[: error.sent]
            raise

    def close(self):
        self.is_closed = True


def until(is_so, timeout_s=20):
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def names(*numbers):
    return [f"id{k}" for k in numbers]


def refusing(*bad, cause="content"):
    def rule(ids):
        if hit := [x for x in ids if x in names(*bad)]:
            raise NotDelivered(f"expected good events, got {hit[0]}", cause)

    return rule


def test_everything_is_delivered_in_order_and_noted():
    journal, sink = FakeJournal(7), FakeSink()
    delivery = Delivery("s", sink, journal, batch_size=3, pace=FAST)
    until(lambda: journal.positions.get("s") == 7)
    journal.add(2)
    delivery.wake()
    until(lambda: journal.positions["s"] == 9)
    assert delivery.close()
    assert sink.got == names(*range(1, 10))
    assert max(map(len, sink.tried)) == 3
    assert sink.is_closed
    assert (delivery.lag, delivery.oldest_waiting_s, delivery.failures) == (0, 0.0, 0)


def test_it_goes_on_after_the_position_of_the_journal():
    journal, sink = FakeJournal(5), FakeSink()
    journal.positions["s"] = 3
    delivery = Delivery("s", sink, journal, pace=FAST)
    assert delivery.close()
    assert sink.got == names(4, 5)


def test_close_delivers_what_waits():
    journal, sink = FakeJournal(), FakeSink()
    delivery = Delivery("s", sink, journal, batch_size=10, pace=FAST)
    journal.add(95)
    assert delivery.close()
    assert sink.got == names(*range(1, 96))
    assert journal.positions == {"s": 95}


def test_a_receiver_that_is_away_gets_all_when_it_is_back():
    is_away = True

    def rule(ids):
        if is_away:
            raise NotDelivered("expected an answer, got none", "away")

    journal, sink = FakeJournal(20), FakeSink(rule)
    delivery = Delivery("s", sink, journal, batch_size=8, pace=FAST)
    until(lambda: delivery.failures > 5)
    assert delivery.last_error == "expected an answer, got none"
    assert delivery.lag == 20
    assert delivery.oldest_waiting_s >= 0
    assert delivery.failing_s > 0
    is_away = False
    until(lambda: journal.positions.get("s") == 20)
    until(lambda: not delivery.last_error)
    assert delivery.failing_s == 0.0
    delivery.close()
    assert sink.got == names(*range(1, 21))


@pytest.mark.parametrize("sent", [0, 20])
def test_close_gives_who_fails_a_last_try(sent):
    """Also if it has all events, and failed at what follows them, as totals do."""

    def rule(ids):
        if len(sink.tried) == 1:
            raise NotDelivered("expected an acknowledgement, got none", "away", sent=sent)

    journal, sink = FakeJournal(20), FakeSink(rule)
    delivery = Delivery("s", sink, journal, pace=Pace(1000.0, 1000.0))
    until(lambda: delivery.failures)
    assert delivery.close(timeout_s=20)
    assert sink.got == names(*range(1, 21))
    assert journal.positions == {"s": 20}


def test_a_sink_that_never_comes_up_does_not_hold_up_the_end():
    journal, sink = FakeJournal(20), FakeSink(refusing(1, cause="away"))
    delivery = Delivery("s", sink, journal, pace=Pace(1000.0, 1000.0))
    until(lambda: delivery.failures)
    assert not delivery.close(timeout_s=20)
    assert sink.is_closed  # the thread has ended, it did not wait for the back-off


def test_what_a_failed_batch_has_brought_is_not_sent_again():
    calls = []

    def rule(ids):
        calls.append(ids)
        if len(calls) == 1:
            raise NotDelivered("expected an acknowledgement, got none", "away", sent=3)

    journal, sink = FakeJournal(5), FakeSink(rule)
    delivery = Delivery("s", sink, journal, pace=FAST)
    until(lambda: journal.positions.get("s") == 5)
    delivery.close()
    assert sink.got == names(1, 2, 3, 4, 5)


def test_one_bad_event_is_found_and_what_is_before_it_delivered(caplog):
    journal, sink = FakeJournal(40), FakeSink(refusing(23))
    with caplog.at_level(logging.ERROR, "edge.sink"):
        delivery = Delivery("s", sink, journal, batch_size=32, pace=FAST)
        until(lambda: journal.positions.get("s") == 22 and delivery.failures > 8)
        delivery.close()
    assert sink.got == names(*range(1, 23))  # nothing overtakes it
    assert sink.tried[-1] == ["id23"]
    assert "sink s: expected good events, got id23" in caplog.text


def test_a_bad_event_is_set_aside_when_it_is_old(caplog):
    journal, sink = FakeJournal(40), FakeSink(refusing(23, 24, 31))
    delivery = Delivery("s", sink, journal, batch_size=32, limits=Limits(0.3), pace=FAST)
    until(lambda: journal.positions.get("s") == 40)
    delivery.close()
    good = [k for k in range(1, 41) if k not in (23, 24, 31)]
    assert sink.got == names(*good)
    assert [x for x, _ in journal.dead] == names(23, 24, 31)
    assert journal.dead[0][1] == "expected good events, got id23"
    assert delivery.dead_letters == 3
    assert "gave up 1 events older than 0.3 s, event_id id23 to id23" in caplog.text


def saying_no(*bad):
    """A receiver that says itself that it does not take these."""

    def rule(ids):
        if hit := [x for x in ids if x in names(*bad)]:
            raise NotDelivered(f"expected good events, got {hit[0]}", "content", is_final=True)

    return rule


def test_an_event_that_is_refused_for_what_it_says_is_set_aside_though_it_is_young(caplog):
    journal, sink = FakeJournal(40), FakeSink(saying_no(23, 31))
    limits = Limits(dead_letter_s=604_800.0, refused_s=0.2)
    delivery = Delivery("s", sink, journal, 32, limits, pace=FAST)
    until(lambda: journal.positions.get("s") == 40)
    delivery.close()
    assert sink.got == names(*[k for k in range(1, 41) if k not in (23, 31)])
    assert [x for x, _ in journal.dead] == names(23, 31)
    assert "gave up 1 events refused for" in caplog.text


def test_each_refused_event_has_its_own_time():
    """A receiver that refuses everything for a while does not empty the journal."""
    journal, sink = FakeJournal(40), FakeSink(saying_no(*range(1, 41)))
    delivery = Delivery("s", sink, journal, 8, Limits(refused_s=3600.0), pace=FAST)
    until(lambda: delivery._refused is not None)
    delivery._refused = (1, delivery._refused[1] - 3600.0)
    until(lambda: sink.tried.count(["id2"]) > 3)
    assert [x for x, _ in journal.dead] == ["id1"]
    delivery.close()


def test_who_was_away_before_it_refused_has_not_refused_for_so_long():
    def rule(ids):
        cause = "away" if len(sink.tried) < 4 else "content"
        raise NotDelivered("expected more", cause, is_final=cause == "content")

    journal, sink = FakeJournal(1), FakeSink(rule)
    delivery = Delivery("s", sink, journal, limits=Limits(refused_s=3600.0), pace=FAST)
    until(lambda: delivery.failures)
    delivery._failing_since_s -= 7200.0
    until(lambda: delivery.failures > 8)
    assert not journal.dead
    delivery.close()


def test_when_nothing_is_taken_all_that_is_old_is_set_aside_and_nothing_else():
    journal = FakeJournal(250, received_unix_s=time.time() - 1000)
    journal.add(5)
    sink = FakeSink(refusing(*range(1, 300), cause="refused"))
    delivery = Delivery("s", sink, journal, limits=Limits(900.0), pace=FAST)
    until(lambda: delivery.failures > 3)
    assert not journal.dead  # it has not failed for long enough: the network may be coming up
    delivery._failing_since_s -= 700
    until(lambda: len(journal.dead) == 250)
    until(lambda: delivery.oldest_waiting_s < 500)
    assert not delivery.close()
    assert len(journal.dead) == 250
    assert journal.positions == {"s": 250}


def test_events_from_before_the_clock_was_set_are_not_old():
    journal = FakeJournal(3, received_unix_s=5.0)
    delivery = Delivery("s", FakeSink(refusing(1)), journal, limits=Limits(60.0), pace=FAST)
    until(lambda: delivery.failures > 3)
    delivery._failing_since_s -= 50
    until(lambda: delivery.failures > 10)
    assert not journal.dead
    delivery._failing_since_s -= 50
    until(lambda: journal.dead)
    delivery.close()


def test_the_receiver_may_ask_for_patience():
    def rule(ids):
        raise NotDelivered("expected room, got 429", "away", retry_after_s=1000.0)

    sink = FakeSink(rule)
    delivery = Delivery("s", sink, FakeJournal(3), pace=Pace(0.0, 2000.0))
    until(lambda: delivery.failures == 1)
    delivery.wake()
    time.sleep(0.1)
    delivery.wake()
    assert len(sink.tried) == 1
    delivery.close()


def test_a_full_journal_does_not_stop_delivery():
    journal, sink = FakeJournal(10), FakeSink()
    journal.is_full = True
    delivery = Delivery("s", sink, journal, batch_size=4, pace=FAST)
    until(lambda: len(sink.got) == 10)
    journal.is_full = False
    journal.add(1)
    delivery.wake()
    until(lambda: journal.positions.get("s") == 11)
    delivery.close()
    assert sink.got == names(*range(1, 12))


def test_a_mistake_in_a_sink_does_not_end_the_thread(caplog):
    calls = []

    def rule(ids):
        calls.append(ids)
        if len(calls) < 3:
            raise KeyError("source")

    journal, sink = FakeJournal(3), FakeSink(rule)
    delivery = Delivery("s", sink, journal, pace=FAST)
    until(lambda: journal.positions.get("s") == 3)
    delivery.close()
    assert "unexpected error" in caplog.text


def test_a_hanging_sink_holds_up_nobody_and_close_ends():
    release = threading.Event()
    journal = FakeJournal(50)
    hanging = Delivery("h", FakeSink(lambda ids: release.wait() and None), journal, pace=FAST)
    good = Delivery("g", FakeSink(), journal, pace=FAST)
    until(lambda: journal.positions.get("g") == 50)
    assert not close_all([hanging, good], timeout_s=0.2)
    assert not good._thread.is_alive()
    assert "h" not in journal.positions
    release.set()
    hanging._thread.join(20)
    assert not hanging._thread.is_alive()


def test_a_successor_does_not_send_beside_its_predecessor(tmp_path):
    """A file that is opened only then knows what is in it, and holds nothing twice."""
    release, path = threading.Event(), tmp_path / "events.jsonl"

    class Slow(RotatingFile):
        def send(self, lines):
            if lines:
                release.wait(20)
            super().send(lines)

    journal = FakeJournal(20)
    old = Delivery("s", Slow(path), journal, 20, pace=FAST)
    until(lambda: old.oldest_waiting_s)
    old.ask_to_end(0.0)
    new = Delivery("s", lambda: RotatingFile(path), journal, 20, pace=FAST, after=[old])
    until(lambda: new.last_error)
    assert new.last_error == "still busy with what it was before the config changed"
    assert path.read_text() == ""
    assert new.lag == 20
    release.set()
    journal.add(5)
    until(lambda: journal.positions.get("s") == 25)
    assert new.close()
    assert not new.last_error
    found = [json.loads(line)["event_id"] for line in path.read_text().splitlines()]
    assert found == names(*range(1, 26))


def test_a_successor_that_still_waits_can_be_closed():
    release = threading.Event()
    journal, second, third = FakeJournal(5), FakeSink(), FakeSink()
    first = Delivery("s", FakeSink(lambda ids: release.wait() and None), journal, pace=FAST)
    until(lambda: first.oldest_waiting_s)
    first.ask_to_end(0.0)
    new = Delivery("s", second, journal, pace=FAST, after=[first])
    new.ask_to_end(0.0)
    new._thread.join(20)
    assert not new.is_alive
    assert second.is_closed
    newest = Delivery("s", third, journal, pace=FAST, after=[first, new])
    assert not newest.close(timeout_s=0.3)
    assert third.got == []
    release.set()


def test_a_sink_that_cannot_be_made_yet_is_made_later():
    made = []

    def make():
        made.append(FakeSink())
        if len(made) < 3:
            raise SinkError("events.jsonl: expected to write events, got: no such file")
        return made[-1]

    journal = FakeJournal(5)
    delivery = Delivery("s", make, journal, pace=FAST)
    until(lambda: journal.positions.get("s") == 5)
    delivery.close()
    assert made[-1].got == names(1, 2, 3, 4, 5)


OUTCOME = st.one_of(
    st.just("fine"),
    st.tuples(st.sampled_from(["away", "refused", "content"]), st.integers(0, 9)),
    st.just("lost answer"),
    st.just("bug"),
)


@given(outcomes=st.lists(OUTCOME, max_size=25), batch_size=st.integers(1, 9))
def test_whatever_fails_everything_arrives_and_first_arrivals_are_in_order(outcomes, batch_size):
    left, got = list(outcomes), []

    class Flaky:
        def send(self, lines):
            ids = [json.loads(line)["event_id"] for line in lines]
            outcome = left.pop(0) if left and ids else "fine"
            if isinstance(outcome, tuple):
                cause, sent = outcome[0], min(outcome[1], len(ids))
                got.extend(ids[:sent])
                raise NotDelivered("expected more", cause, sent)
            got.extend(ids)
            if outcome == "lost answer":
                raise NotDelivered("expected an answer, got none", "away")
            if outcome == "bug":
                raise KeyError("x")

        def close(self):
            pass

    journal = FakeJournal(20)
    delivery = Delivery("s", Flaky(), journal, batch_size, pace=Pace(0.0, 0.0))
    until(lambda: journal.positions.get("s") == 20)
    delivery.close()
    assert list(dict.fromkeys(got)) == names(*range(1, 21))


def event(k, source="door", rule="a"):
    made = {"event_id": f"{k:032x}", "seq": k, "type": "line_crossed", "rule": {"id": rule}}
    made |= {"time": {"media_s": k / 10, "frame": k}, "source": {"id": source, "session": 1}}
    return made


def entries(first, last):
    return [
        Entry("door", None, made, json.dumps(made, separators=(",", ":")))
        for made in (event(k) for k in range(first, last + 1))
    ]


@pytest.fixture
def journal(tmp_path):
    with Journal(tmp_path / "journal.db") as made:
        made.stream("door", None, {"a": "1"}, time.time())
        yield made


def test_with_the_real_journal_a_hanging_webhook_does_not_slow_a_file(journal, tmp_path):
    with Receiver() as receiver:
        receiver.hang()
        endpoint = Endpoint(receiver.url, timeout_s=60.0)
        hook = Delivery("hook", WebhookSink(endpoint), journal, pace=FAST)
        path = tmp_path / "events.jsonl"
        file = Delivery("file", RotatingFile(path), journal, pace=FAST)
        for k in range(10):
            journal.append(entries(10 * k + 1, 10 * k + 10))
            file.wake()
            hook.wake()
        until(lambda: journal.position("file") == 100)
        assert [json.loads(x)["seq"] for x in path.read_text().splitlines()] == [*range(1, 101)]
        assert journal.position("hook") == 0
        assert hook.lag == 100
        assert not close_all([hook, file], timeout_s=0.5)
        receiver.release()
        hook._thread.join(20)


def test_with_the_real_journal_a_webhook_that_was_away_and_a_poison_event(journal):
    receiver = Receiver(secret="shared")
    receiver.start()
    receiver.stop()
    endpoint = Endpoint(receiver.url, secret="shared")
    hook = Delivery("hook", WebhookSink(endpoint), journal, 32, limits=Limits(0.5), pace=FAST)
    journal.append(entries(1, 60))
    poison = f"{77:032x}"

    def rule(events):
        too_many = len(events) > 16
        bad = any(e["event_id"] == poison for e in events)
        return Answer(413) if too_many else Answer(400, body=b"no 77") if bad else Answer()

    receiver.rule = rule
    hook._limits = Limits()
    until(lambda: hook.failures > 3)
    journal.append(entries(61, 120))
    with receiver:
        until(lambda: journal.position("hook") == 76)
        until(lambda: "no 77" in hook.last_error)
        hook._limits = Limits(refused_s=0.5)
        until(lambda: journal.position("hook") == 120)
        assert hook.close()
        wanted = [f"{k:032x}" for k in range(1, 121) if k != 77]
        assert receiver.first_ids() == wanted
        assert len(receiver.accepted()) == len(wanted)
    [dead] = journal.dead_letters("hook")
    assert (dead.event_id, "no 77" in dead.reason) == (poison, True)
