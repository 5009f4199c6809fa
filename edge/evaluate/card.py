"""The evidence card as one self-contained HTML page: no script, no link, pictures inside. Pure.

Imports opencv, for encoding, and its own folder.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import cv2

from edge.evaluate.agreement import Agreement
from edge.evaluate.closeups import Closeup
from edge.evaluate.failures import Finding
from edge.evaluate.instances import InstanceFacts
from edge.types import U8

MOST_CLOSEUPS = 60  # on the page; failures come first


@dataclass(frozen=True, slots=True)
class Card:
    """Everything that a card shows about one picture."""

    title: str  # the picture's name
    about: tuple[tuple[str, str], ...]  # what was run on what: model, provider, size, time
    image: U8  # BGR uint8 (H, W, 3)
    overlay: U8  # the same with the instances drawn
    facts: Sequence[InstanceFacts]
    checks: Sequence[Finding]
    agreement: Agreement | None
    closeups: Sequence[Closeup]
    notes: Sequence[str]


def html_page(card: Card) -> str:
    """The card as HTML, to be read in any browser and printed."""
    shown = card.closeups[:MOST_CLOSEUPS]
    left_out = len(card.closeups) - len(shown)
    more = f"<p class='note'>{left_out} more are not shown.</p>" if left_out else ""
    parts = [
        f"<header><small>edgecount · evidence card</small><h1>{escape(card.title)}</h1>",
        "<dl>" + "".join(_about(*row) for row in card.about) + "</dl></header><main>",
        "<section class='pair'>",
        _figure(card.image, "Input", 88) + _figure(card.overlay, "Prediction", 88),
        "</section><section class='columns'><div><h2>Failure check</h2>",
        "<table class='checks'>" + "".join(map(_check, card.checks)) + "</table></div>",
        f"<div><h2>Against the truth</h2>{_metrics(card.agreement)}</div></section>",
        f"<section><h2>Boundaries</h2><p class='legend'>{_legend(card.agreement)}</p>",
        "<div class='tiles'>" + "".join(map(_tile, shown)) + f"</div>{more}</section>",
        f"<section><h2>Instances</h2>{_facts(card)}</section>",
        "".join(f"<p class='note'>Note: {escape(note)}.</p>" for note in card.notes),
        f"<p class='note'>{escape(FOOTNOTE)}</p></main>",
    ]
    head = (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'>"
        f"<title>{escape(card.title)} · evidence card</title><style>{STYLE}</style></head><body>"
    )
    return head + "\n".join(parts) + "</body></html>\n"


FOOTNOTE = (
    "Visible: share of the object that no neighbour in front hides, at most. Solid: area over "
    "that of the convex hull. Thin: share of the mask in parts narrower than 5 pixels. Boundary: "
    "IoU of the inner rims, 2 % of the picture's diagonal wide"
)


def share(value: float) -> str:
    """Two decimals; a dash where nothing is defined.

    >>> share(0.5), share(float("nan"))
    ('0.50', '–')
    """
    return "–" if math.isnan(value) else f"{value:.2f}"


def neighbours_text(facts: InstanceFacts) -> str:
    """Who it overlaps or touches: `#2 (40 px shared), #5 (touches 12 px)`."""
    return ", ".join(
        f"#{n.id} ({n.shared_px} px shared)"
        if n.shared_px
        else f"#{n.id} (touches {n.contact_px} px)"
        for n in facts.neighbours
    )


def verdict(check: Finding) -> str:
    """`yes`, `no`, or `?` where it cannot be told."""
    return "?" if check.is_found is None else "yes" if check.is_found else "no"


def _about(key: str, value: str) -> str:
    return f"<div><dt>{escape(key)}</dt><dd>{escape(value)}</dd></div>"


def _figure(picture: U8, caption: str, quality: int) -> str:
    return f"<figure>{_image(picture, caption, quality)}<figcaption>{caption}</figcaption></figure>"


def _image(picture: U8, text: str, quality: int) -> str:
    jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
    data = base64.b64encode(jpeg).decode("ascii")
    return f"<img alt='{escape(text, quote=True)}' src='data:image/jpeg;base64,{data}'>"


def _check(check: Finding) -> str:
    said = verdict(check)
    kind = {"yes": "bad" if check.is_failure else "remark", "no": "good", "?": "open"}[said]
    text = f"<span>{escape(check.sentence)}</span>"
    question = f"<td>{escape(check.question)}</td>"
    return f"<tr>{question}<td><b class='{kind}'>{said}</b></td><td>{text}</td></tr>"


def _metrics(agreement: Agreement | None) -> str:
    if agreement is None:
        return "<p class='note'>No truth was given: nothing to compare with.</p>"
    rows = [
        (
            c.class_name,
            f"{c.matched} of {c.truth}",
            share(c.iou),
            share(c.dice),
            share(c.boundary_iou),
        )
        for c in agreement.classes
    ]
    table = _table(("class", "found", "IoU", "Dice", "boundary IoU"), rows)
    counts = f"{len(agreement.missed)} missed, {len(agreement.false)} false"
    return f"{table}<p class='note'>{counts}; matched at mask IoU .5</p>"


def _legend(agreement: Agreement | None) -> str:
    truth = "<i class='truth'></i> truth" if agreement else ""
    return f"<i class='predicted'></i> prediction {truth}"


def _tile(closeup: Closeup) -> str:
    kind = " class='failure'" if closeup.is_failure else ""
    caption = f"<b>{escape(closeup.title)}</b><br>{escape(closeup.text)}"
    image = _image(closeup.picture, closeup.title, 85)
    return f"<figure{kind}>{image}<figcaption>{caption}</figcaption></figure>"


def _facts(card: Card) -> str:
    matched = {m.id: m for m in card.agreement.matches} if card.agreement else {}
    heads = ["id", "class", "score", "area px", "visible", "solid", "thin", "border"]
    heads += ["IoU", "Dice", "boundary"] if card.agreement else []
    rows = []
    for f in card.facts:
        border = "touches" if f.touches_border else "near" if f.near_border else ""
        row = [f"#{f.id}", f.class_name, share(f.score), str(f.area_px)]
        row += [share(f.visible), share(f.solidity), share(f.thin_share), border]
        if card.agreement:
            m = matched.get(f.id)
            row += [share(v) for v in (m.iou, m.dice, m.boundary_iou)] if m else ["–"] * 3
        rows.append((*row, neighbours_text(f)))
    return _table((*heads, "neighbours"), rows) if rows else "<p class='note'>None were found.</p>"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(h)}</th>" for h in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


STYLE = """
*{box-sizing:border-box}
body{margin:0;font:15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;color:#1d2530;
background:#f3f5f7;-webkit-print-color-adjust:exact;print-color-adjust:exact}
header{background:#18222f;color:#fff;padding:22px 32px}
header small{color:#9fb3c8;letter-spacing:.04em}
h1{margin:2px 0 10px;font-size:26px;overflow-wrap:anywhere}
h2{margin:0 0 10px;font-size:17px}
dl{display:flex;flex-wrap:wrap;gap:6px 32px;margin:0}
dt{color:#9fb3c8;font-size:12px}dd{margin:0}
main{max-width:1400px;margin:0 auto;padding:20px 32px 32px}
section{background:#fff;border:1px solid #dfe4ea;border-radius:8px;padding:18px 20px;
margin-bottom:18px;overflow-x:auto}
.pair,.columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(380px,1fr));gap:20px}
figure{margin:0}img{display:block;max-width:100%;border-radius:4px}
.pair img{width:100%}figcaption{font-size:13px;color:#536170;padding-top:4px}
.tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(180px,1fr));gap:14px}
.tiles img{width:100%}.tiles figure{border-top:4px solid #dfe4ea;break-inside:avoid}
.tiles .failure{border-top-color:#d55e00}
.tiles b{color:#1d2530}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th{text-align:left;font-size:12px;color:#536170;font-weight:600}
td,th{padding:5px 10px 5px 0;border-bottom:1px solid #eaeef2;vertical-align:top}
td span{color:#536170}
.checks td:first-child{white-space:nowrap}
.checks b{display:inline-block;min-width:42px;text-align:center;border-radius:10px;padding:0 9px;
color:#fff;font-size:13px}
.bad{background:#d55e00}.remark{background:#b07d00}.good{background:#00785a}.open{background:#7c8896}
.legend{margin:-6px 0 12px;color:#536170;font-size:13px}
.legend i{display:inline-block;width:22px;height:4px;vertical-align:middle;margin:0 4px 0 10px}
.predicted{background:#e69f00}.truth{background:#56b4e9}
.note{color:#536170;font-size:13px;margin:8px 0}
""".strip()
