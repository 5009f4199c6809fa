"""The page: well formed, self-contained, escaped, and with the numbers in it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from happenings import Teller, summed
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import SinkError
from edge.report import write_pictures, write_report
from edge.report.page import page

GOLDEN = Path(__file__).parent.parent / "golden" / "people.events.jsonl"
HOSTILE = "</title><script>alert(1)</script><img src=https://evil.example/x onerror='a()'>\"&"
VOID = {"meta", "img", "br", "link"}
SVG_EMPTY = {"rect", "polyline", "polygon"}


class Outline(HTMLParser):
    """Checks that elements nest, and collects what matters."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.loads: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        self.ids += [v for k, v in attrs if k == "id"]
        self.loads += [v for k, v in attrs if k in ("src", "href", "action", "srcset", "data")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag in SVG_EMPTY
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def checked(text: str) -> Outline:
    outline = Outline(text)
    assert len(set(outline.ids)) == len(outline.ids)
    assert not {"script", "link", "iframe", "object", "form"} & set(outline.tags)
    assert all(load.startswith("data:image/") for load in outline.loads)
    assert not [name for name, _ in outline.attributes if name.startswith("on")]
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    assert "default-src 'none'" in text
    return outline


def golden():
    return summed(json.loads(line) for line in GOLDEN.read_text().splitlines())


def test_the_golden_report(tmp_path):
    write_report(golden(), tmp_path / "out.html")
    text = (tmp_path / "out.html").read_text()
    outline = checked(text)
    assert outline.tags.count("h1") == 1
    assert outline.tags.count("table") == outline.tags.count("caption")
    assert outline.tags.count("svg") == 6
    assert "https://" not in text
    assert "http://" not in text
    cards = text[text.index("<ul class=cards>") : text.index("</ul>")]
    assert re.findall(r"<dd>(.*?)</dd>", cards) == [
        *("2", "0", "+2"), *("3", "2", "+1"), *("6", "5", "+1"), *("9", "8", "1")
    ]  # fmt: skip
    assert "572a63d079367db256cd0d02231e25fc58af437a84b9ee6851090ba2daa60845" in text
    assert "sha256:b59987bbca756532" in text
    assert len(text) < 200_000
    assert not (tmp_path / "out.html.partial").exists()


def test_the_page_is_the_same_each_time():
    assert page(golden(), "1") == page(golden(), "1")


def test_zones_are_told_of_in_their_own_words_everywhere():
    summary = golden()
    text = page(summary, "1")
    for way in ("entered", "left"):
        assert f"<dt>{way}</dt>" in text
        assert f">path {way}</th>" in text, "the table of intervals"
    for word in ("\u2191 entered", "\u2193 left", "in / entered", "out / left"):
        assert f">{word}<" in text
    for word in ("path in<", "path out<"):
        assert word not in text
    teller = Teller()
    teller.entered(1.0, 1, "hall")
    only = page(summed(teller.told), "1")
    assert "<th scope=col class=n>entered</th><th scope=col class=n>left</th>" in only
    assert "<th scope=col class=n>in</th>" not in only


def test_names_are_escaped():
    teller = Teller(HOSTILE)
    started = teller.started(0.0, HOSTILE)
    started["rules"][0] |= {"name": HOSTILE, "in_name": HOSTILE, "out_name": HOSTILE}
    teller.crossed(1.0, rule=HOSTILE, name=HOSTILE)
    teller.crossed(2.0, "out", rule=HOSTILE, name=HOSTILE)
    teller.entered(3.0, 1, HOSTILE + "zone")
    teller.exited(6.0, 0, 3.0, HOSTILE + "zone")
    teller.said(7.0, "source_lost", reason=HOSTILE)
    for event in teller.told:
        event["device"] = {"id": HOSTILE, "app": HOSTILE, "model_sha256": HOSTILE}
        event.get("rule", {})["config_rev"] = HOSTILE
        event.get("quality", {})["flags"] = [HOSTILE]
    summary = summed(teller.told)
    outline = checked(page(summary, "1"))
    assert "script" not in outline.tags
    assert sum(HOSTILE in word for word in outline.words) > 10
    assert outline.tags.count("img") == 1  # the heatmap


@given(st.text(min_size=1, max_size=20))
def test_any_name_makes_a_page(name):
    teller = Teller(name)
    teller.crossed(1.0, rule=name, name=name)
    text = page(summed(teller.told), "1")
    checked(text)
    assert text.encode("utf-8", "replace")


def test_nothing_gives_a_page_that_says_so(tmp_path):
    write_report(summed([]), tmp_path / "out.html")
    text = (tmp_path / "out.html").read_text()
    checked(text)
    assert "There are no events" in text


def test_a_source_without_rules_says_so():
    teller = Teller(kind="file")
    teller.started(0.0)
    teller.stopped(5.0)
    assert "nothing was counted" in page(summed(teller.told), "1")


def test_what_was_not_seen_comes_first():
    teller = Teller()
    teller.started(0.0, "gate")
    teller.crossed(100.0)
    teller.said(600.0, "source_lost", reason="timed out")
    teller.session += 1
    teller.said(1200.0, "source_restored", gap_s=600.0)
    teller.crossed(3000.0, name="car")
    text = page(summed(teller.told), "1")
    outline = checked(text)
    assert text.index("was not seen for 10 min") < text.index("<ul class=cards>")
    assert "seen 80.0 % of the time" in text
    assert "timed out" in outline.words
    assert "car" in outline.words


def test_a_camera_that_never_came_is_no_camera_that_saw_nothing():
    teller = Teller()
    teller.started(0.0, "gate")
    teller.said(0.0, "source_lost", reason="refused")
    text = page(summed(teller.told), "1")
    assert "seen 0.0 % of the time" in text
    assert "door is lost since 2026-09-24 00:00:00: refused." in text


def test_many_intervals_and_rules_stay_readable():
    teller = Teller()
    for day in range(0, 700, 3):
        for rule in range(12):
            teller.crossed(day * 86_400.0, rule=f"line {rule}")
    text = page(summed(teller.told), "1")
    checked(text)
    assert "the first 500 of 700" in text
    assert len(text) < 3_000_000


def test_pictures(tmp_path):
    cv2 = pytest.importorskip("cv2")
    background = np.full((48, 64, 3), 90, np.uint8)
    written = write_pictures(golden(), tmp_path / "new" / "png", {"people": background})
    assert [path.name for path in written] == [
        "people-passages-left.png",
        "people-passages-middle.png",
        "people-passages-right.png",
        "people-passages-path.png",
        "people-occupancy-path.png",
        "people-dwell-path.png",
        "people-feet.png",
    ]
    for path in written:
        image = cv2.imread(str(path))
        assert image.shape[1] >= 900
        assert image.std() > 1


def test_pictures_of_hostile_names_stay_in_their_folder(tmp_path):
    teller = Teller("../../etc")
    teller.crossed(1.0, rule="/root/x")
    teller.crossed(1.0, rule="/root?x")
    written = write_pictures(summed(teller.told), tmp_path / "png")
    assert len(set(written)) == len(written) == len(list((tmp_path / "png").iterdir()))
    assert all(path.parent == tmp_path / "png" for path in written)


def test_a_report_that_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(SinkError, match="expected to write a report, got"):
        write_report(golden(), tmp_path / "no" / "out.html")
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match="expected a folder for pictures, got"):
        write_pictures(golden(), tmp_path / "file" / "png")
