from __future__ import annotations

import asyncio
import json
import threading

from edge.web.bell import Bell, rung_within
from edge.web.bulletin import KEPT, Bulletin


def numbers(bulletin: Bulletin, after: int) -> list[int]:
    return [posted.number for posted in bulletin.after(after)]


def test_a_reader_gets_what_it_has_not_and_no_more_than_is_kept():
    bulletin = Bulletin("run")
    for k in range(KEPT + 50):
        bulletin.post({"k": k})
    assert bulletin.last == KEPT + 50
    assert numbers(bulletin, 0) == list(range(51, KEPT + 51))
    assert numbers(bulletin, KEPT + 48) == [KEPT + 49, KEPT + 50]
    assert numbers(bulletin, KEPT + 50) == []
    assert json.loads(bulletin.after(KEPT + 49)[0].text) == {"k": KEPT + 49}


def test_an_id_of_another_process_or_of_nobody_begins_anew():
    bulletin = Bulletin("run")
    for k in range(3):
        bulletin.post({"k": k})
    assert bulletin.number_of(bulletin.id_of(2)) == 2
    for given in ("", "2", "other-2", "run-", "run-x", "run--1", "run-²", "run-" + "9" * 40):
        assert bulletin.number_of(given) == 0
    assert bulletin.number_of("run-99") == 3  # not yet given: nothing will be left out


def test_a_bell_is_heard_from_another_thread_and_many_rings_are_one():
    async def listen() -> list[bool]:
        bell = Bell()
        bell.ring()  # nobody listens
        heard = []
        with bell.heard() as rung:
            heard.append(await rung_within(rung, 0.01))
            thread = threading.Thread(target=lambda: [bell.ring() for _ in range(1000)])
            thread.start()
            heard.append(await rung_within(rung, 5.0))
            await asyncio.to_thread(thread.join)
            await asyncio.sleep(0.01)
            rung.clear()
            heard.append(await rung_within(rung, 0.01))
            bell.ring()
            heard.append(await rung_within(rung, 5.0))
        return heard

    assert asyncio.run(listen()) == [False, True, False, True]


def test_a_bell_whose_loop_has_ended_rings_for_nobody():
    bell = Bell()

    async def listen() -> None:
        with bell.heard():
            bell.ring()

    asyncio.run(listen())
    bell.ring()

    async def again() -> bool:
        with bell.heard() as rung:
            bell.ring()
            return await rung_within(rung, 5.0)

    assert asyncio.run(again())
