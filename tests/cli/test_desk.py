"""The editor's answers: what is checked, tried and saved, and what is never written."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from edge import build, pipeline
from edge.cli.desk import Desk
from edge.cli.editing import Editable, editable
from edge.config import load, load_located
from edge.config.revision import text_rev
from edge.recent import Recent
from edge.sources.detections import DetectionsFile

GOLDEN = Path(__file__).parents[1] / "golden"
TEXT = """\
# What counts at the gate.
cameras:
  gate:
    source: a.mp4
    lines:
      door:  # the front one
        a: [0.5, 0.0]
        b: [0.5, 1.0]
web: {listen: "0.0.0.0:1", token: "${DESK_TOKEN}"}
"""


@pytest.fixture(scope="module")
def seen():
    """Tracks of the golden recording, and the names of its classes."""
    config = load(GOLDEN / "people.yaml")
    source = DetectionsFile(GOLDEN / "people.jsonl.gz")
    recent = Recent()
    tracker = build.tracker(config, next(iter(config.cameras)), source.class_names)
    pipeline.run(pipeline.replayed(source), tracker, [], [recent])
    return recent, source.class_names


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setenv("DESK_TOKEN", "hush-hush")
    path = tmp_path / "site.yaml"
    path.write_text(TEXT)
    return path


def desk(file, names=("person", "car"), recents=(), **edits):
    return Desk(Editable(file, **edits), names, dict(recents))


def line(name="door", was=None, **keys):
    points = [[0.5, 0.0], [0.5, 1.0]]
    return {"kind": "lines", "name": name, "was": was, "points": points, **keys}


def test_the_rules_are_those_of_the_file(file):
    status, facts = desk(file, takes="now").opened("gate")
    assert (status, facts["reason"], facts["file"], facts["takes"]) == (200, "", "site.yaml", "now")
    [rule] = facts["rules"]
    assert rule["points"] == ((0.5, 0.0), (0.5, 1.0))
    assert (rule["name"], rule["was"], rule["kind"]) == ("door", "door", "lines")
    assert (facts["classes"], facts["can_try"]) == (["person", "car"], True)
    assert str(file.parent) not in str(facts)
    assert "hush-hush" not in str(facts)


def test_without_a_file_of_its_own_editing_is_off_and_says_why(file):
    for edits, word in (
        (editable(None, ["a.mp4"], []), "no config file"),
        (editable(file, ["a.mp4"], []), "Sources were given on the command line"),
        (editable(file, [], ["door=0,0,1,1"]), "Lines and zones were given"),
    ):
        closed = Desk(edits, (), {})
        assert word in closed.opened("gate")[1]["reason"]
        for ask in (closed.checked, closed.tried, closed.saved):
            status, answer = ask("gate", {"rules": []})
            assert (status, word in answer["text"]) == (409, True)
    assert file.read_text() == TEXT


def test_saving_keeps_comments_and_says_that_it_is_saved(file):
    called = []
    its = desk(file, on_saved=lambda: called.append(file.read_text()))
    revision = its.opened("gate")[1]["revision"]
    file.chmod(0o640)
    moved = line("door", "door") | {"points": [[0.25, 0.0], [0.5, 1.0]], "in": "Into the shop"}
    new = line("new") | {"classes": ["car"]}
    status, answer = its.saved("gate", {"rules": [moved, new], "revision": revision})
    assert (status, answer) == (
        200,
        {"file": "site.yaml", "revision": text_rev(file.read_bytes())},
    )
    assert answer["revision"] != revision
    assert [rule["was"] for rule in its.opened("gate")[1]["rules"]] == ["door", "new"]
    text = file.read_text()
    assert called == [text]
    for kept in ("# What counts at the gate.", "# the front one", 'token: "${DESK_TOKEN}"'):
        assert kept in text
    assert load(file).cameras["gate"].lines["door"].path == ((0.25, 0.0), (0.5, 1.0))
    assert load(file).cameras["gate"].lines["new"].classes == ("car",)
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert [p.name for p in file.parent.iterdir()] == ["site.yaml"], "nothing is left behind"


def test_a_file_that_changed_meanwhile_is_not_overwritten(file):
    its = desk(file)
    revision = its.opened("gate")[1]["revision"]
    others = TEXT.replace("[0.5, 1.0]", "[0.6, 1.0]")
    file.write_text(others)
    for shown in (revision, None, "", 0):
        status, answer = its.saved("gate", {"rules": [line()], "revision": shown})
        assert (status, answer["conflict"]) == (409, True)
    assert file.read_text() == others
    now = its.opened("gate")[1]["revision"]
    assert its.saved("gate", {"rules": [line()], "revision": now})[0] == 200


def test_a_file_that_changes_while_it_is_saved_is_not_overwritten(file, monkeypatch):
    its = desk(file)
    revision = its.opened("gate")[1]["revision"]
    others = TEXT + "device_id: other\n"
    looked = its._looked_at
    monkeypatch.setattr(its, "_looked_at", lambda *a: (file.write_text(others), looked(*a))[1])
    status, answer = its.saved("gate", {"rules": [], "revision": revision})
    assert (status, answer["conflict"]) == (409, True)
    assert file.read_text() == others


def test_a_file_that_changes_at_the_last_moment_is_not_overwritten(file, monkeypatch):
    its = desk(file)
    revision = its.opened("gate")[1]["revision"]
    others = TEXT + "device_id: other\n"

    def checked(path):  # the new text, before it takes the place of the old one
        if path != file:
            file.write_text(others)
        return load_located(path)

    monkeypatch.setattr("edge.config.replace.load_located", checked)
    status, answer = its.saved("gate", {"rules": [], "revision": revision})
    assert (status, answer["conflict"]) == (409, True)
    assert file.read_text() == others


@pytest.mark.parametrize(
    ("rules", "texts"),
    [
        ([line("no/name")], ["expected a name of letters"]),
        ([line(classes=["dog"])], ["expected a class of the model, got 'dog'"]),
        ([line() | {"points": [[0.5, 0.5], [0.5, 0.5]]}], ["expected a point other than 'a'"]),
    ],
)
def test_wrong_rules_are_told_and_not_saved(file, rules, texts):
    its = desk(file)
    revision = its.opened("gate")[1]["revision"]
    _, answer = its.checked("gate", {"rules": rules})
    assert all(f["is_wrong"] and f["rule"] == 0 for f in answer["findings"])
    assert [t in f["text"] for t, f in zip(texts, answer["findings"], strict=True)] == [True]
    for ask, more in ((its.tried, {}), (its.saved, {"revision": revision})):
        status, answer = ask("gate", {"rules": rules, **more})
        assert (status, bool(answer["findings"])) == (422, True)
    assert file.read_text() == TEXT


def test_the_linter_speaks_with_the_sizes_that_were_seen(file, seen):
    recent, names = seen
    short = line("short") | {"points": [[0.5, 0.5], [0.5, 0.51]]}
    its = desk(file, names, {"gate": recent})
    [finding] = its.checked("gate", {"rules": [line("long"), short]})[1]["findings"][:1]
    assert (finding["rule"], finding["is_wrong"]) == (1, False)
    assert "as usual here" in finding["text"]
    guessed = desk(file, names, {"gate": Recent()}).checked("gate", {"rules": [short]})[1]
    assert "(a guess)" in guessed["findings"][0]["text"]
    [nothing] = its.checked("gate", {"rules": []})[1]["findings"]
    assert (nothing["rule"], "no lines and no zones" in nothing["text"]) == (None, True)


def test_a_trial_counts_what_a_run_would_have(file, seen):
    recent, names = seen
    config = load(GOLDEN / "people.yaml")
    [(camera, chosen)] = config.cameras.items()
    counters = build.counters(config, camera, names, *recent.size)
    recent.replay(counters)
    rules = [
        {"kind": "lines", "name": n, "points": rule.path, "classes": rule.classes}
        for n, rule in chosen.lines.items()
    ] + [{"kind": "zones", "name": n, "points": rule.polygon} for n, rule in chosen.zones.items()]
    status, answer = desk(file, names, {"gate": recent}).tried("gate", {"rules": rules})
    assert status == 200
    assert [(c["in"], c["out"]) for c in answer["counts"]] == [
        (c.totals.count_in, c.totals.count_out) for c in counters
    ]
    assert answer["counts"][0]["by_class"].keys() <= set(names)
    assert answer["frames"] > 100
    assert file.read_text() == TEXT
    assert desk(file, names).tried("gate", {"rules": rules})[0] == 409, "nothing was seen"


def test_a_broken_or_missing_config_is_said_and_left_alone(file):
    its = desk(file)
    for text, word in (
        ("cameras: [", "The config has a mistake: site.yaml:1"),
        (TEXT.replace("gate:", "yard:"), "no camera 'gate'"),
    ):
        file.write_text(text)
        assert word in its.opened("gate")[1]["reason"]
        assert its.saved("gate", {"rules": [line()]})[0] == 409
        assert file.read_text() == text
    file.unlink()
    assert "cannot be read" in its.opened("gate")[1]["reason"]


def test_what_cannot_be_changed_safely_is_refused(file):
    tied = """\
cameras:
  gate: &one
    source: a.mp4
    lines: {door: {a: [0.5, 0.0], b: [0.5, 1.0]}}
  yard: *one
"""
    file.write_text(tied)
    its = desk(file)
    revision = its.opened("gate")[1]["revision"]
    status, answer = its.saved("gate", {"rules": [line("new")], "revision": revision})
    assert (status, "anchors" in answer["text"]) == (422, True)
    assert file.read_text() == tied


def test_a_link_stays_a_link_and_line_ends_stay(file, tmp_path):
    file.write_bytes(TEXT.replace("\n", "\r\n").encode())
    link = tmp_path / "link.yaml"
    link.symlink_to(file)
    its = desk(link)
    revision = its.opened("gate")[1]["revision"]
    assert its.saved("gate", {"rules": [line("new", "door")], "revision": revision})[0] == 200
    assert link.is_symlink()
    data = file.read_bytes()
    assert b"new:" in data
    assert data.count(b"\n") == data.count(b"\r\n") > 5


def test_a_file_that_cannot_be_written_is_said_before_and_when_it_is_saved(file, monkeypatch):
    its = desk(file)
    facts = its.opened("gate")[1]
    assert facts["cannot_save"] == ""
    monkeypatch.setattr("os.access", lambda *a: False)
    said = its.opened("gate")[1]["cannot_save"]
    assert said.startswith("Rules can be drawn and tried here, but not saved. site.yaml cannot be")
    assert 'docs/operations.md, "Rules changed on the page"' in said
    assert str(file.parent) not in said
    assert its.checked("gate", {"rules": []})[0] == 200

    def refuse(*names):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.replace", refuse)
    status, answer = its.saved("gate", {"rules": [], "revision": facts["revision"]})
    assert status == 409
    assert answer["text"].startswith("Not saved. site.yaml cannot be written: Permission denied. ")
    assert [p.name for p in file.parent.iterdir()] == ["site.yaml"]
    assert file.read_text() == TEXT


def test_classes_of_the_command_line_limit_those_that_can_be_chosen(file):
    its = desk(file, ("person", "car", "bus"), classes=("bus", "person"))
    assert its.opened("gate")[1]["classes"] == ["person", "bus"]
    file.write_text(TEXT.replace("source: a.mp4", "source: a.mp4\n    classes: [car]"))
    assert desk(file).opened("gate")[1]["classes"] == ["car"]


def test_where_nobody_counts_the_command_that_does_is_told(file, monkeypatch):
    monkeypatch.chdir(file.parent.parent)
    given = Path(file.parent.name, file.name)
    its = Desk(Editable(given, takes="never"), (), {})
    facts = its.opened("gate")[1]
    assert facts["command"] == f"edge run --config {given}"
    saved = its.saved("gate", {"rules": [], "revision": facts["revision"]})[1]
    assert saved["command"] == facts["command"]
    assert "command" not in desk(file, takes="now").opened("gate")[1]


def test_points_that_stay_keep_their_digits_and_the_file_its_byte_order_mark(file):
    text = "\ufeff" + TEXT.replace("[0.5, 0.0]", "[ 0.123456789,  0 ]  # post")
    file.write_text(text)
    its = desk(file)
    facts = its.opened("gate")[1]
    [rule] = facts["rules"]
    rule["points"] = [rule["points"][0], [0.25, 1.0]]
    assert its.saved("gate", {"rules": [rule], "revision": facts["revision"]})[0] == 200
    assert file.read_text() == text.replace("[0.5, 1.0]", "[0.25, 1.0]")
