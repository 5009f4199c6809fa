"""Damage inputs in every way and look what happens: scripts/fuzz --kind config|detections|rtsp.

Every case is made from the seed and its number alone. It must end in time, and with a clear
refusal, with skipped frames, or well; no other exception, and no total that is not the sum of its
events. Exit code 1: some case did not. To see a case again: --first NUMBER --count 1.
"""

from __future__ import annotations

import argparse
import faulthandler
import logging
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

Case = Callable[[Random], str]

KINDS = ("config", "detections", "rtsp")
LIMIT_S = 60.0  # a case that takes longer hangs: it is said where, and the program ends
MOST_FAILURES = 20
SAY_EVERY = 10_000


def case_of(kind: str, folder: Path) -> Case:
    """What makes and tries a case of a kind; libraries are imported for that kind only."""
    if kind == "config":
        from fuzzing.configs import Configs

        return Configs(folder)
    if kind == "detections":
        from fuzzing.recordings import Recordings

        return Recordings(folder)
    from fuzzing.streams import Streams

    return Streams()


def tried(kind: str, seed: int, first: int, count: int, limit_s: float) -> bool:
    """Try so many cases; whether all went as they must."""
    outcomes: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    slowest_s, slowest = 0.0, first
    began_s = time.monotonic()
    with TemporaryDirectory(prefix="edge-fuzz-") as folder:
        case = case_of(kind, Path(folder))
        for number in range(first, first + count):
            case_began_s = time.monotonic()
            faulthandler.dump_traceback_later(limit_s, exit=True, file=sys.__stderr__)
            try:
                outcomes[case(Random(f"{seed} {kind} {number}"))] += 1
            except Exception as error:
                where = traceback.extract_tb(error.__traceback__)[-1]
                place = f"{type(error).__name__} at {where.filename}:{where.lineno}"
                failures[place] += 1
                if failures[place] == 1:
                    print(f"{kind}: case {number}, seed {seed}: {place}")
                    traceback.print_exc(file=sys.stdout)
            faulthandler.cancel_dump_traceback_later()
            spent_s = time.monotonic() - case_began_s
            if spent_s > slowest_s:
                slowest_s, slowest = spent_s, number
            done = number - first + 1
            if done % SAY_EVERY == 0 or done == count:
                said = ", ".join(f"{n} {what}" for what, n in sorted(outcomes.items()))
                print(
                    f"{kind}: {done} cases from {first}, seed {seed}, "
                    f"{time.monotonic() - began_s:.0f} s: {said or 'none as it must be'}; "
                    f"{sum(failures.values())} failures; slowest {slowest_s:.2f} s ({slowest})",
                    flush=True,
                )
            if len(failures) >= MOST_FAILURES:
                break
    for place, times in failures.items():
        print(f"{kind}: failed {times} times: {place}")
    return not failures


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser("scripts/fuzz", description=str(__doc__).splitlines()[0])
    parser.add_argument("--kind", choices=KINDS, action="append", help="all if left out")
    parser.add_argument("--count", type=int, default=100_000, help="cases of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--limit", type=float, default=LIMIT_S, help="seconds for a case")
    parser.add_argument("--record", action="store_true", help="make what `rtsp` damages anew")
    args = parser.parse_args(arguments)
    if args.record:
        from fuzzing.streams import record

        record()
        return 0
    faulthandler.enable(sys.__stderr__)
    logging.disable()  # what is said of damage is not looked at
    good = [tried(k, args.seed, args.first, args.count, args.limit) for k in args.kind or KINDS]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
