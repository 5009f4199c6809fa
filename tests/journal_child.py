"""Appends known events to a journal until it is killed: run by tests/test_journal_writer.py.

Usage: journal_child.py JOURNAL EVENTS. Begins each time with the first event, as the replay of a
recording does, and says `done` once everything is in the journal.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from journals import recording

from edge.events.journal import Journal
from edge.journal_writer import JournalWriter


def main(path: str, count: int) -> None:
    rng = random.Random(0)
    with Journal(path) as journal:
        clip = recording(journal, gate="g", side="s")
        writer = JournalWriter(journal, clip.lost)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        for _ in range(count):
            rule, way = rng.choice(["gate", "side"]), rng.choice(["in", "out"])
            entry = clip.crossed(rule, way, name=rng.choice(["person", "car"]))
            writer.put(entry)
            writer.save_state(clip.source_id, clip.key, {"seq": clip.seq})
            if rng.random() < 0.1:
                writer.flush(60)  # batches of about ten
        if writer.close(60):
            sys.stdout.write("done\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
