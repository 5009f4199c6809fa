"""Secrets of any length never stand as a value, and words of a sentence stay what they are."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge.cli.doctor.command import examined
from edge.cli.redact import HIDDEN, Redactor

SHORT = st.text("ab1Z-_%/.+ä", min_size=1, max_size=3)
LONG = st.text("ab1Z%/.+ä '\"", min_size=4, max_size=12).filter(lambda s: len(s.strip()) > 3)
# Where a secret is given away, and what then stands there.
PLACES = [
    "{}",
    "got {!r}",
    "expected a name, got {}",
    "mqtt: got {}; set it",
    "password: {}",
    "PASSWORD = {} (refused)",
    "user-pw={} location=q",
    "Authorization: Bearer {}",
    "a=1&b={}&c=2",
    '{{"token": "{}"}}',
    "token={}",
    "got me:{}@10.0.0.5",
    "{}: expected a video, got a text",
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("secret", ["x", "7", "ab", "cpu", "a.b", "+1"])
def test_a_short_secret_is_no_value(place, secret):
    assert place.replace("!r", "").format(HIDDEN) in (
        Redactor([secret]).text(place.format(secret)).replace("'***'", "***")
    )


@given(SHORT, st.sampled_from(PLACES), st.lists(SHORT | LONG, max_size=3))
@example("s", "password: {}", ["pass"])
def test_the_place_of_a_short_secret_is_the_same_whatever_it_is(secret, place, others):
    """So that nothing can be read off it: what is left does not depend on the secret."""
    marked = place.replace("{!r}", "'{}'")
    left = Redactor([secret]).text(marked.format(secret))
    assert left == marked.format(HIDDEN) or secret in marked.format("")
    assert secret not in left or secret in marked.format(HIDDEN)
    both = Redactor([secret, *others]).text(marked.format(secret))
    assert len(both) >= len(HIDDEN)
    assert secret not in both or secret in marked.format(HIDDEN)


@given(SHORT | st.text("ab1Z%/.+@:ä", min_size=4), st.text("ab1Z @:/'\"", max_size=8))
def test_nothing_of_a_login_passes(secret, path):
    text = Redactor([secret]).text(f"rtsp://QQQ:{secret}WWW@10.0.0.5/{path}")
    assert "QQQ" not in text
    assert "WWW" not in text


@given(st.lists(LONG, min_size=1, max_size=4), st.text(), st.text())
def test_a_long_secret_is_hidden_everywhere(secrets, before, after):
    for secret in secrets:
        redacted = Redactor(secrets).text(f"{before}{secret}{after}")
        assert secret not in redacted or secret in f"{before}{HIDDEN}{after}"
    said = Redactor(secrets).text(json.dumps({"k": secrets}))
    assert [s for s in secrets if json.dumps(s)[1:-1] in said] == []


@given(
    st.lists(st.text("ab1", min_size=1, max_size=3), min_size=1, max_size=4),
    st.lists(st.text("ab1", min_size=1, max_size=3), min_size=2, max_size=9),
)
def test_words_of_a_sentence_stay(secrets, words):
    sentence = " ".join(words)
    assert Redactor(secrets).text(sentence) == sentence


def test_what_the_doctor_says_stays_readable(monkeypatch, tmp_path):
    config = tmp_path / "site.yaml"
    config.write_text(
        "cameras:\n  gate:\n    source: rtsp://me:${CAM}@127.0.0.1:9/1\n"
        "    lines: {door: {a: [0, 0.5], b: [1, 0.5]}}\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    plain = {}
    for password in ("a", "cpu", "1"):
        monkeypatch.setenv("CAM", password)
        for each in examined(config):
            if each.what in ("onnxruntime", "provider cpu", "Python", "OpenCV"):
                plain.setdefault(each.what, set()).add((each.found, each.remedy))
                assert HIDDEN not in each.found + each.remedy
            assert f"me:{password}@" not in each.found + each.remedy
    assert {name: len(said) for name, said in plain.items()} == dict.fromkeys(plain, 1)
    assert len(plain) == 4
