"""The failure check of one picture: plain questions, yes or no, and the ids concerned. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from edge.evaluate.agreement import Agreement
from edge.evaluate.instances import InstanceFacts

SMALL_PX = 32 * 32  # COCO's small objects
THIN_SHARE = 0.25  # of a mask in thin parts
LARGE = 1.8  # times the usual area of the nearest of the class: two in one?
NEAREST = 3  # so many neighbours of the class tell what is usual; two are needed
SAME_OBJECT = 0.6  # mask IoU of two instances that show one object
SAME_DEPTH = 0.5  # of the height: feet that close in height are about as far away

REMARKS = ("small_instances", "thin_boundaries", "cut_by_border")  # true of right instances too


@dataclass(frozen=True, slots=True)
class Finding:
    """One question of the failure check."""

    name: str
    question: str
    is_found: bool | None  # None: cannot be told from what is given
    ids: tuple[int, ...]  # of instances; for missed objects those of the truth
    text: str  # what was found

    @property
    def is_failure(self) -> bool:
        """Whether it shows something wrong, and not just something to bear in mind."""
        return bool(self.is_found) and self.name not in REMARKS

    @property
    def sentence(self) -> str:
        """The ids and the text in one, no id said twice."""
        if "#" in self.text:
            return self.text
        sign = "true #" if self.name == "missed_instances" else "#"
        ids = " ".join(f"{sign}{k}" for k in self.ids)
        return f"{ids} {self.text}".strip()


def findings(
    facts: Sequence[InstanceFacts], agreement: Agreement | None, is_complete: bool = True
) -> tuple[Finding, ...]:
    """The failure check, always the same questions in the same order.

    Args:
        facts: of each instance.
        agreement: with the truth; None: without truth, where shape alone tells.
        is_complete: whether the truth names every object.
    """
    shape = (_doubled(facts), _small(facts), _thin(facts), _cut(facts))
    if agreement is None:
        return (_suspicious(facts), *shape, *_untold())
    return (
        _merged(agreement),
        _split(agreement),
        *shape,
        _confused(agreement),
        _missed(agreement),
        _false(agreement, is_complete),
    )


def unusually_large(facts: Sequence[InstanceFacts]) -> tuple[int, ...]:
    """Ids of instances much larger than the nearest of their class at about the same distance."""
    large = []
    for f in facts:
        if f.foot is None or f.touches_border:
            continue
        height = f.box[3] - f.box[1]
        peers = sorted(
            (np.hypot(f.foot[0] - o.foot[0], f.foot[1] - o.foot[1]), o.area_px)
            for o in facts
            if o.id != f.id
            and o.class_name == f.class_name
            and o.foot is not None
            and not o.touches_border
            and abs(f.foot[1] - o.foot[1]) < SAME_DEPTH * height
        )[:NEAREST]
        usual = float(np.median([area for _, area in peers])) if len(peers) > 1 else np.inf
        if f.area_px > LARGE * usual:
            large.append(f.id)
    return tuple(large)


def _suspicious(facts: Sequence[InstanceFacts]) -> Finding:
    lobed = {f.id for f in facts if f.lobes > 1}
    large = set(unusually_large(facts))
    parts = [f"#{k} has two lobes" for k in sorted(lobed)]
    parts += [f"#{k} is much larger than its neighbours" for k in sorted(large)]
    return _finding(
        "merged_neighbours",
        "Neighbours melted into one?",
        sorted(lobed | large),
        "; ".join(parts) + " (suspected by shape: there is no truth)"
        if parts
        else "by shape: none",
    )


def _merged(agreement: Agreement) -> Finding:
    parts = [f"#{k} covers true {_listed(v)}" for k, v in agreement.merged.items()]
    return _finding(
        "merged_neighbours", "Neighbours melted into one?", agreement.merged, "; ".join(parts)
    )


def _split(agreement: Agreement) -> Finding:
    parts = [f"true {_listed([k])} is in {_listed(v)}" for k, v in agreement.split.items()]
    ids = sorted({k for v in agreement.split.values() for k in v})
    return _finding("split_objects", "Objects taken apart?", ids, "; ".join(parts))


def _doubled(facts: Sequence[InstanceFacts]) -> Finding:
    pairs = [
        (f, facts[n.id - 1])
        for f in facts
        for n in f.neighbours
        if n.id > f.id
        and n.shared_px > SAME_OBJECT * (f.area_px + facts[n.id - 1].area_px - n.shared_px)
    ]
    parts = [f"#{a.id} {a.class_name} and #{b.id} {b.class_name} are one" for a, b in pairs]
    ids = sorted({f.id for pair in pairs for f in pair})
    return _finding("doubled_objects", "One object twice?", ids, "; ".join(parts))


def _small(facts: Sequence[InstanceFacts]) -> Finding:
    ids = [f.id for f in facts if f.area_px < SMALL_PX]
    text = f"below {SMALL_PX} pixels: their masks and counts are less sure"
    return _finding("small_instances", "Small instances?", ids, text)


def _thin(facts: Sequence[InstanceFacts]) -> Finding:
    ids = [f.id for f in facts if f.thin_share > THIN_SHARE]
    text = f"more than {THIN_SHARE:.0%} of the mask is in thin parts"
    return _finding("thin_boundaries", "Thin or ragged boundaries?", ids, text)


def _cut(facts: Sequence[InstanceFacts]) -> Finding:
    ids = [f.id for f in facts if f.touches_border]
    return _finding(
        "cut_by_border", "Cut off by the frame?", ids, "area and foot are not the whole"
    )


def _confused(agreement: Agreement) -> Finding:
    wrong = [m for m in agreement.matches if m.truth_class not in ("", m.class_name)]
    parts = [f"#{m.id} is said to be {m.class_name}, is {m.truth_class}" for m in wrong]
    if agreement.matches and all(m.truth_class == "" for m in agreement.matches):
        return Finding(
            "class_confusion", "Wrong classes?", None, (), "the truth does not name classes"
        )
    return _finding("class_confusion", "Wrong classes?", [m.id for m in wrong], "; ".join(parts))


def _missed(agreement: Agreement) -> Finding:
    text = "true objects that no instance shows"
    return _finding("missed_instances", "Missed objects?", agreement.missed, text)


def _false(agreement: Agreement, is_complete: bool) -> Finding:
    question = "False instances?"
    if agreement.false and not is_complete:
        text = f"{_listed(agreement.false)} match no label, but not all objects are labelled"
        return Finding("false_instances", question, None, agreement.false, text)
    text = "match no true object at mask IoU .5"
    return _finding("false_instances", question, agreement.false, text)


def _untold() -> tuple[Finding, ...]:
    text = "needs --truth"
    return (
        Finding("class_confusion", "Wrong classes?", None, (), text),
        Finding("missed_instances", "Missed objects?", None, (), text),
        Finding("false_instances", "False instances?", None, (), text),
    )


def _finding(name: str, question: str, ids: Iterable[int], text: str) -> Finding:
    found = tuple(ids)
    return Finding(name, question, bool(found), found, text if found else "")


def _listed(ids: Sequence[int]) -> str:
    return ", ".join(f"#{k}" for k in ids)
