"""The evidence card as one picture, for mails and reports. Pure; opencv draws everything."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import cv2
import numpy as np

from edge.evaluate.card import FOOTNOTE, Card, share, verdict
from edge.evaluate.closeups import Closeup
from edge.types import U8

Colour = tuple[int, int, int]  # BGR

WIDTH = 1600
PAD = 32
TILES = 7  # close-ups side by side, in at most two rows
ROWS = 16  # instances in the table

INK: Colour = (48, 37, 29)
SOFT: Colour = (112, 97, 83)
FAINT: Colour = (234, 228, 223)
BAND: Colour = (47, 34, 24)
PALE: Colour = (200, 179, 159)
WHITE: Colour = (255, 255, 255)
FAILURE: Colour = (0, 94, 213)
VERDICTS: dict[str, Colour] = {"yes": (0, 125, 176), "no": (90, 120, 0), "?": (150, 136, 124)}
PREDICTED: Colour = (0, 159, 230)
TRUE: Colour = (233, 180, 86)


def sheet(card: Card) -> U8:
    """The card as a picture, BGR uint8 (H, 1600, 3); H follows from what there is to show."""
    blocks = [
        _header(card),
        _pictures(card),
        _columns(_checks(card), _metrics(card)),
        _closeups(card),
        _facts(card),
        _notes(card),
    ]
    gap: U8 = np.full((18, WIDTH, 3), 255, np.uint8)
    rows = [b for block in blocks if block.size for b in (block, gap)]
    page: U8 = np.concatenate(rows)
    return page


class _Pen:
    """Text on one canvas. Sizes are heights of capital letters in pixels."""

    def __init__(self, height: int, width: int = WIDTH, ground: Colour = WHITE) -> None:
        self.canvas: U8 = np.full((height, width, 3), ground, np.uint8)

    def text(
        self, at: tuple[int, int], text: str, size_px: int = 11, ink: Colour = INK, room_px: int = 0
    ) -> int:
        """Write with the base line at `at`, shortened to `room_px` if given; returns the width."""
        return self._write(at, text, size_px, ink, room_px, cv2.FONT_HERSHEY_SIMPLEX)

    def bold(
        self, at: tuple[int, int], text: str, size_px: int = 11, ink: Colour = INK, room_px: int = 0
    ) -> int:
        """The same in a heavier face."""
        return self._write(at, text, size_px, ink, room_px, cv2.FONT_HERSHEY_DUPLEX)

    def _write(
        self,
        at: tuple[int, int],
        text: str,
        size_px: int,
        ink: Colour,
        room_px: int,
        face: int,
    ) -> int:
        scale = float(cv2.getFontScaleFromHeight(face, size_px, 1))
        plain = _fitted(_ascii(text), face, scale, room_px)
        cv2.putText(self.canvas, plain, at, face, scale, ink, 1, cv2.LINE_AA)
        return _width(plain, face, scale)

    def rule(self, y: int, x1: int = PAD, x2: int = WIDTH - PAD) -> None:
        cv2.line(self.canvas, (x1, y), (x2, y), FAINT, 1)

    def paste(self, picture: U8, x: int, y: int) -> None:
        self.canvas[y : y + picture.shape[0], x : x + picture.shape[1]] = picture


def _header(card: Card) -> U8:
    pen = _Pen(128, ground=BAND)
    pen.text((PAD, 34), "edgecount / evidence card", 11, PALE)
    pen.bold((PAD, 70), card.title, 20, WHITE, WIDTH - 2 * PAD)
    x = PAD
    for key, value in card.about:
        if x > WIDTH - 200:
            break
        wide = pen.text((x, 106), key, 10, PALE)
        x += wide + 10
        x += pen.text((x, 106), value, 10, WHITE, max(60, WIDTH - PAD - x)) + 30
    return pen.canvas


def _pictures(card: Card) -> U8:
    room = (WIDTH - 2 * PAD - 20) // 2
    height, width = card.image.shape[:2]
    scale = min(room / width, 720 / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    pen = _Pen(size[1] + 26)
    for n, (picture, caption) in enumerate(((card.image, "Input"), (card.overlay, "Prediction"))):
        x = PAD + n * (room + 20)
        pen.paste(np.asarray(cv2.resize(picture, size, interpolation=way), np.uint8), x, 0)
        pen.text((x, size[1] + 20), caption, 11, SOFT)
    return pen.canvas


def _columns(left: U8, right: U8) -> U8:
    height = max(len(left), len(right))
    pen = _Pen(height)
    pen.paste(left, 0, 0)
    pen.paste(right, left.shape[1], 0)
    return pen.canvas


def _checks(card: Card) -> U8:
    width = 1000
    pen = _Pen(52 + 36 * len(card.checks), width)
    pen.bold((PAD, 26), "Failure check", 14)
    for n, check in enumerate(card.checks):
        y = 68 + 36 * n
        said = verdict(check)
        pen.text((PAD, y), check.question)
        ground = FAILURE if check.is_failure else VERDICTS[said]
        cv2.rectangle(pen.canvas, (PAD + 250, y - 18), (PAD + 304, y + 7), ground, -1)
        x = PAD + 277 - 14 * (said == "yes") - 10 * (said == "no") - 5 * (said == "?")
        pen.bold((x, y), said, 11, WHITE)
        pen.text((PAD + 322, y), check.sentence, 11, SOFT, width - PAD - 330)
        pen.rule(y + 13, PAD, width - 20)
    return pen.canvas


def _metrics(card: Card) -> U8:
    width = WIDTH - 1000
    if card.agreement is None:
        pen = _Pen(120, width)
        pen.bold((20, 26), "Against the truth", 14)
        pen.text((20, 68), "No truth was given: nothing to compare with.", 11, SOFT)
        return pen.canvas
    rows = [
        [c.class_name, f"{c.matched} of {c.truth}", *map(share, (c.iou, c.dice, c.boundary_iou))]
        for c in card.agreement.classes
    ]
    heads = ["class", "found", "IoU", "Dice", "boundary IoU"]
    table = _table([heads, *rows], [20, 170, 270, 340, 410], width, width - PAD)
    pen = _Pen(40 + len(table) + 34, width)
    pen.bold((20, 26), "Against the truth", 14)
    pen.paste(table, 0, 40)
    counts = f"{len(card.agreement.missed)} missed, {len(card.agreement.false)} false"
    pen.text((20, 40 + len(table) + 22), f"{counts}; matched at mask IoU .5", 11, SOFT)
    return pen.canvas


def _closeups(card: Card) -> U8:
    shown = card.closeups[: 2 * TILES]
    if not shown:
        return np.zeros((0, WIDTH, 3), np.uint8)
    gap = 14
    side = (WIDTH - 2 * PAD - (TILES - 1) * gap) // TILES
    lines = -(-len(shown) // TILES)
    pen = _Pen(46 + lines * (side + 66))
    left_out = len(card.closeups) - len(shown)
    x = PAD + 20 + pen.bold((PAD, 26), "Boundaries", 14)
    for colour, name in ((PREDICTED, "prediction"), (TRUE, "truth"))[: 1 + bool(card.agreement)]:
        cv2.rectangle(pen.canvas, (x, 18), (x + 22, 22), colour, -1)
        x += 50 + pen.text((x + 28, 25), name, 11, SOFT)
    if left_out:
        pen.text((x, 25), f"{left_out} more on the page", 11, SOFT)
    for n, closeup in enumerate(shown):
        at = PAD + n % TILES * (side + gap), 46 + n // TILES * (side + 66)
        _tile(pen, closeup, at, side)
    return pen.canvas


def _tile(pen: _Pen, closeup: Closeup, at: tuple[int, int], side: int) -> None:
    x, y = at
    mark = FAILURE if closeup.is_failure else FAINT
    cv2.rectangle(pen.canvas, (x, y), (x + side - 1, y + 4), mark, -1)
    small = cv2.resize(closeup.picture, (side, side), interpolation=cv2.INTER_AREA)
    pen.paste(np.asarray(small, np.uint8), x, y + 5)
    pen.bold((x, y + side + 25), closeup.title, 11, INK, side)
    pen.text((x, y + side + 46), closeup.text, 10, SOFT, side)


def _facts(card: Card) -> U8:
    matched = {m.id: m for m in card.agreement.matches} if card.agreement else {}
    truth_heads = ["IoU", "boundary"] if card.agreement else []
    heads = ["id", "class", "score", "area px", "visible", "solid", "thin", "border"]
    rows = [[*heads, *truth_heads, "overlaps or touches"]]
    for f in card.facts[:ROWS]:
        border = "touches" if f.touches_border else "near" if f.near_border else ""
        row = [f"#{f.id}", f.class_name, share(f.score), str(f.area_px), share(f.visible)]
        row += [share(f.solidity), share(f.thin_share), border]
        if card.agreement:
            m = matched.get(f.id)
            row += [share(m.iou), share(m.boundary_iou)] if m else ["-", "-"]
        rows.append([*row, "  ".join(f"#{n.id}" for n in f.neighbours)])
    columns = [PAD, 100, 260, 350, 460, 560, 650, 740, *([860, 940] if card.agreement else [])]
    columns.append(columns[-1] + 120)
    table = _table(rows, columns, WIDTH, WIDTH - PAD)
    more = len(card.facts) - ROWS
    pen = _Pen(40 + len(table) + (30 if more > 0 else 0))
    pen.bold((PAD, 26), "Instances", 14)
    pen.paste(table, 0, 40)
    if more > 0:
        pen.text((PAD, 40 + len(table) + 20), f"{more} more on the page", 11, SOFT)
    return pen.canvas


def _notes(card: Card) -> U8:
    notes = [*(f"Note: {note}." for note in card.notes), f"{FOOTNOTE}."]
    pen = _Pen(8 + 24 * len(notes))
    for n, note in enumerate(notes):
        pen.text((PAD, 20 + 24 * n), note, 10, SOFT, WIDTH - 2 * PAD)
    return pen.canvas


def _table(rows: Sequence[Sequence[str]], columns: Sequence[int], width: int, right: int) -> U8:
    """Rows of cells under a head; `columns` are the left edges, in pixels."""
    pen = _Pen(30 * len(rows), width)
    for n, row in enumerate(rows):
        y = 30 * n + 20
        ends = [*columns[1:], right]
        for x, end, cell in zip(columns, ends, row, strict=True):
            pen.text((x, y), cell, 10 if n == 0 else 11, SOFT if n == 0 else INK, end - x - 8)
        pen.rule(y + 9, columns[0], right)
    return pen.canvas


def _fitted(text: str, face: int, scale: float, room_px: int) -> str:
    """The text, or as much of its beginning as fits, with dots behind it; 0: all fits."""
    if not room_px or _width(text, face, scale) <= room_px:
        return text
    fits, too_long = 0, len(text)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if _width(text[:middle] + "...", face, scale) <= room_px:
            fits = middle
        else:
            too_long = middle
    return text[:fits].rstrip() + "..."


def _width(text: str, face: int, scale: float) -> int:
    return int(cv2.getTextSize(text, face, scale, 1)[0][0])


def _ascii(text: str) -> str:
    """As far as OpenCV's letters go: accents fall off, a dash is a minus, the rest is `?`."""
    plain = unicodedata.normalize("NFKD", text.replace("–", "-"))
    kept = "".join(c for c in plain if not unicodedata.combining(c))
    return kept.encode("ascii", "replace").decode()
