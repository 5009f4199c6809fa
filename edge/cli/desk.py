"""The editor's answers: rules of one config file, checked, tried on recent tracks, and saved."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge import build
from edge.cli.editing import Editable
from edge.cli.rule_lints import Scale, findings
from edge.config import Camera, Config, Line, Zone, check_classes, load_located
from edge.config.draft import Draft, edits_of, read_draft, with_draft
from edge.config.edit import edited
from edge.config.messages import dotted
from edge.config.replace import replace_checked, unwritable
from edge.config.revision import text_rev
from edge.errors import ConfigError, EdgeError
from edge.recent import Recent
from edge.web.editor import Answer


class Desk:
    """Answers for the cameras of one config file; no request names a file.

    One call at a time. What others have written meanwhile is not overwritten, as far as
    `replace_checked` sees it.
    """

    def __init__(
        self,
        edits: Editable,
        class_names: Sequence[str],
        recents: Mapping[str, Recent],
    ) -> None:
        """Keep what is needed.

        Args:
            edits: the file.
            class_names: of the model; empty: there is no model.
            recents: tracks of late, by camera.
        """
        self._edits = edits
        self._class_names = tuple(class_names)
        self._recents = recents
        self._read: tuple[str, Config] | None = None  # revision and what it says

    def opened(self, camera: str) -> Answer:
        """Rules as the file has them, its revision, and what can be tried."""
        try:
            config, revision = self._config(camera)
        except _Not as no:
            return 200, {"camera": camera, "reason": no.text, "takes": self._edits.takes}
        chosen, recent = config.cameras[camera], self._recents.get(camera)
        tracked = set(self._edits.classes or chosen.classes or self._class_names)
        return 200, {
            "camera": camera,
            "reason": "",
            "takes": self._edits.takes,
            "cannot_save": self._cannot_save(),
            **self._told(revision),
            "rules": [_facts(name, rule) for name, rule in chosen.rules.items()],
            "classes": [name for name in self._class_names if name in tracked],
            "can_try": bool(self._class_names),
            "recent_s": round(recent.span_s, 1) if recent else 0.0,
        }

    def checked(self, camera: str, body: Any) -> Answer:
        """What is wrong with rules, and what is doubtful."""
        try:
            config, _ = self._config(camera)
            _, said = self._looked_at(config, camera, _draft(body))
        except _Not as no:
            return no.answer
        return 200, {"findings": said}

    def tried(self, camera: str, body: Any) -> Answer:
        """What rules would have counted of late, in the order in which they come."""
        try:
            config, _ = self._config(camera)
            draft = _draft(body)
            drawn, said = self._looked_at(config, camera, draft)
        except _Not as no:
            return no.answer
        recent = self._recents.get(camera)
        if drawn is None:
            return 422, {"text": "Not tried: a rule is wrong.", "findings": said}
        if recent is None or recent.size is None:
            return 409, {"text": "Nothing was seen yet: try again in a moment.", "findings": said}
        counters = build.counters(drawn, camera, self._class_names, *recent.size)
        span_s, frames = recent.span_s, recent.replay(counters)
        totals = {counter.rule_id: counter.totals for counter in counters}
        names = self._class_names
        counts = [
            {
                "in": totals[rule.name].count_in,
                "out": totals[rule.name].count_out,
                "by_class": {
                    names[k]: {"in": ins, "out": outs}
                    for k, (ins, outs) in totals[rule.name].by_class.items()
                },
            }
            for rule in draft.rules
        ]
        seen = {"span_s": round(span_s, 1), "frames": frames}
        return 200, {"findings": said, "counts": counts, **seen}

    def saved(self, camera: str, body: Any) -> Answer:
        """Write rules into the file; 409 if it is not the one that they were drawn for."""
        revision = body.pop("revision", None) if isinstance(body, dict) else None
        try:
            config, now = self._config(camera)
            draft = _draft(body)
            if revision != now:
                raise self._conflict()
            drawn, said = self._looked_at(config, camera, draft)
            if drawn is None:
                return 422, {"text": "Not saved: a rule is wrong.", "findings": said}
            written = self._write(camera, config.cameras[camera], draft, now)
        except _Not as no:
            return no.answer
        self._edits.on_saved()
        return 200, self._told(written)

    @property
    def _file(self) -> Path:
        if self._edits.file is None:
            raise _Not(409, self._edits.reason)
        return Path(os.path.realpath(self._edits.file))  # a link stays one

    def _told(self, revision: str) -> dict[str, Any]:
        """What is known of the file; its path only where nobody counts, who has named it then."""
        facts = {"file": self._file.name, "revision": revision}
        if self._edits.takes == "never":
            facts["command"] = f"edge run --config {shlex.quote(str(self._edits.file))}"
        return facts

    def _cannot_save(self) -> str:
        """Why nothing can be saved, and what to do; empty if it can."""
        try:
            why = unwritable(self._file)
        except OSError as error:
            why = str(error.strerror)
        return why and f"Rules can be drawn and tried here, but not saved. {self._unwritten(why)}"

    def _unwritten(self, why: str) -> str:
        return (
            f"{self._file.name} cannot be written: {why}. Let the user that this runs as write the "
            'file and its folder: docs/operations.md, "Rules changed on the page".'
        )

    def _conflict(self) -> _Not:
        text = f"{self._file.name} was changed by somebody else meanwhile: nothing saved."
        return _Not(409, text, conflict=True)

    def _config(self, camera: str) -> tuple[Config, str]:
        """The config as the file has it now, and its revision."""
        try:
            revision = text_rev(self._file.read_bytes())
            if self._read is None or self._read[0] != revision:
                self._read = revision, load_located(self._file).config
        except OSError as error:
            raise _Not(409, f"{self._file.name} cannot be read: {error.strerror}.") from error
        except ConfigError as error:
            text = str(error).replace(str(self._file), self._file.name)
            raise _Not(409, f"The config has a mistake: {text}") from error
        config = self._read[1]
        if camera not in config.cameras:
            raise _Not(409, f"{self._file.name} has no camera '{camera}' any more.")
        return config, revision

    def _looked_at(
        self, config: Config, camera: str, draft: Draft
    ) -> tuple[Config | None, list[dict[str, Any]]]:
        """The config with these rules, None if they are wrong; and what is to be said of each."""
        drawn, problems = with_draft(config.cameras[camera], draft)
        said = [{"rule": k, "is_wrong": True, "text": text} for k, text in problems]
        if drawn is None:
            return None, said
        wanted = config.model_copy(update={"cameras": {**config.cameras, camera: drawn}})
        only = config.model_copy(update={"cameras": {camera: drawn}})
        places = {
            f"cameras.{camera}.{rule.kind}.{rule.name}": k for k, rule in enumerate(draft.rules)
        }
        if self._class_names:
            try:
                check_classes(only, self._class_names)
            except ConfigError as error:
                for text in str(error).splitlines():
                    key, _, sentence = text.partition(": ")
                    place = places.get(key.removesuffix(".classes"))
                    said.append({"rule": place, "is_wrong": True, "text": sentence})
                return None, said
        for finding in findings(only, self._scale_of):
            place = places.get(dotted(finding.key))
            said.append({"rule": place, "is_wrong": False, "text": finding.text})
        return wanted, said

    def _scale_of(self, camera: str, rule: str) -> Scale:
        """Sizes as seen of late, or guessed for the frames of this camera."""
        recent = self._recents.get(camera)
        if recent is None or recent.size is None:
            return Scale(remedy="")
        width, height = recent.size
        heights = recent.heights_px()
        if not heights:
            usual_px = Scale().object_px / Scale().height_px * height
            return Scale(width, height, usual_px, remedy=": nobody has been seen yet")
        return Scale(width, height, float(np.median(heights)), is_measured=True)

    def _write(self, camera: str, before: Camera, draft: Draft, revision: str) -> str:
        """Replace the file by one with these rules, unless it is another one by now."""
        file = self._file
        try:
            data = file.read_bytes()
            if text_rev(data) != revision:
                raise self._conflict()
            changed = edited(data.decode(), file.name, camera, edits_of(before, draft))
            if not replace_checked(file, changed, data):
                raise self._conflict()
        except OSError as error:
            raise _Not(409, f"Not saved. {self._unwritten(str(error.strerror))}") from error
        except EdgeError as error:
            raise _Not(422, f"Not saved: {error}") from error
        return text_rev(changed.encode())


class _Not(Exception):
    """Something that cannot be done, and the sentence that says why."""

    def __init__(self, status: int, text: str, **more: Any) -> None:
        super().__init__(text)
        self.text = text
        self.answer: Answer = status, {"text": text, **more}


def _draft(body: Any) -> Draft:
    try:
        return read_draft(body)
    except ConfigError as error:
        raise _Not(400, str(error)) from error


def _facts(name: str, rule: Line | Zone) -> dict[str, Any]:
    is_line = isinstance(rule, Line)
    return {
        "kind": "lines" if is_line else "zones",
        "name": name,
        "was": name,
        "points": rule.path if isinstance(rule, Line) else rule.polygon,
        "classes": rule.classes,
        "dwell_s": rule.dwell_s if isinstance(rule, Zone) else None,
        "overcrowded": rule.overcrowded if isinstance(rule, Zone) else None,
        "in": rule.in_name if isinstance(rule, Line) else None,
        "out": rule.out_name if isinstance(rule, Line) else None,
    }
