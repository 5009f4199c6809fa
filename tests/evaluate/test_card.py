"""The evidence card: complete, self-contained, and drawn for any number of instances."""

from html.parser import HTMLParser

import numpy as np
import pytest
from strategies import rectangles

from edge.evaluate.agreement import agreement
from edge.evaluate.card import Card, html_page
from edge.evaluate.closeups import PREDICTED, TRUE, closeup, closeups
from edge.evaluate.failures import findings
from edge.evaluate.instances import instance_facts
from edge.evaluate.sheet import WIDTH, sheet
from edge.evaluate.truthfiles import PictureTruth

NAMES = ("person", "car")
IMAGE = np.full((240, 320, 3), 90, np.uint8)
A, B = (20, 40, 60, 140), (200, 40, 240, 140)


def card(windows, truth=None, title="street <1>.jpg"):
    instances = rectangles(windows)
    facts = instance_facts(instances, NAMES)
    agreed = agreement(instances, NAMES, truth) if truth else None
    checks = findings(facts, agreed)
    compared = (truth, agreed) if truth else None
    tiles = closeups(IMAGE, instances.masks, facts, checks, compared, tile_px=64)
    about = (("model", "a & b.onnx"),)
    return Card(title, about, IMAGE, IMAGE, facts, checks, agreed, tiles, ("a note",))


def true(*windows):
    masks = rectangles(list(windows)).masks
    n = len(windows)
    return PictureTruth(masks, tuple(range(1, n + 1)), ("car",) * n, np.zeros(n, bool), True, ())


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.open, self.sources, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)
        self.sources += [v for k, v in attributes if k in ("src", "href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.mark.parametrize("windows", [[], [A], [A, B], [A, B] * 40])
@pytest.mark.parametrize("truth", [None, true(), true(A, (100, 40, 140, 140))])
def test_page_and_picture_for_any_number(windows, truth):
    shown = card(windows, truth)
    text = html_page(shown)
    page = Page(text)
    assert page.open == []
    assert all(s.startswith("data:image/jpeg;base64,") for s in page.sources)
    assert "<script" not in text
    for word in ("street <1>.jpg", "a & b.onnx", "Failure check", "Note: a note.", "Boundaries"):
        assert word in page.text
    assert ("No truth was given" in page.text) == (truth is None)
    picture = sheet(shown)
    assert picture.dtype == np.uint8
    assert picture.shape[1:] == (WIDTH, 3)


def test_page_is_the_same_every_time():
    assert html_page(card([A, B], true(A))) == html_page(card([A, B], true(A)))
    assert (sheet(card([A, B], true(A))) == sheet(card([A, B], true(A)))).all()


def test_failures_come_first_and_missed_objects_are_shown():
    tiles = card([A, B], true(B, (100, 40, 140, 140))).closeups
    assert [t.is_failure for t in tiles] == [True, True, True]
    assert [t.title for t in tiles][2] == "missed true #2 car"
    assert [t.text for t in tiles][:2] == ["matches no true object", "is car, IoU 1.00"]
    [tile] = card([A]).closeups
    assert (tile.title, tile.text, tile.is_failure) == ("#1 person 0.90", "4000 px", False)


def test_closeup_draws_both_contours_beyond_the_border_too():
    masks = rectangles([(0, 0, 40, 40), (0, 0, 40, 30)]).masks
    tile = closeup(IMAGE, [(masks, 0, TRUE), (masks, 1, PREDICTED)], 256)
    assert tile.shape == (256, 256, 3)
    for colour in (TRUE, PREDICTED):
        assert np.abs(tile.astype(int) - colour).max(2).min() < 30  # softened at its edges
    assert (tile[0, 0] == 226).all()  # outside of the picture
