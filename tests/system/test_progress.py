"""Progress: a bar for who watches, whole lines for logs, nothing for short steps."""

from __future__ import annotations

import io

import pytest

from ser.system import progress as module
from ser.system.progress import duration, progress


class Stream(io.StringIO):
    watched = False

    def isatty(self) -> bool:
        return self.watched


@pytest.fixture
def stream(monkeypatch) -> Stream:
    """What is written, on a clock that goes 10 s a look."""
    found = Stream()
    clock = iter(range(0, 10000, 10))
    monkeypatch.setattr(module, "_stream", lambda: found)
    monkeypatch.setattr(module.time, "monotonic", lambda: float(next(clock)))
    return found


def test_lines_every_half_minute_where_nobody_watches(stream):
    assert list(progress("abcdefg", "training", 9, done=2)) == list("abcdefg")
    assert stream.getvalue() == "training: 5 of 9, about 40 s left\ntraining: 8 of 9, about 10 s left\n"


def test_items_may_count_for_several_and_an_unknown_total_has_no_time(stream):
    list(progress([[1, 2], [3], [4, 5, 6], [7]], "runs", None, size=len))
    assert stream.getvalue() == "runs: 6\n"


def test_a_bar_where_somebody_watches(stream, monkeypatch):
    stream.watched = True
    monkeypatch.undo()
    monkeypatch.setattr(module, "_stream", lambda: stream)
    assert list(progress(range(3), "audio", 3)) == [0, 1, 2]
    assert "audio:   0%" in stream.getvalue() and "\n" not in stream.getvalue()


def test_short_steps_say_nothing(stream):
    list(progress("ab", "scoring", 2))
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (89, "89 s"), (91, "2 min"), (5399, "90 min"), (5400, "1.5 h")]
)
def test_durations(seconds, said):
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("environment", "said"), [({}, "\x1b[1mbest\x1b[0m"), ({"NO_COLOR": "1"}, "best"), ({"TERM": "dumb"}, "best")]
)
def test_colors_are_for_terminals_that_have_them(stream, monkeypatch, environment, said):
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    module.show_on_terminal("\x1b[1mbest\x1b[0m")
    assert stream.getvalue() == ""  # nobody watches
    stream.watched = True
    module.show_on_terminal("\x1b[1mbest\x1b[0m")
    assert stream.getvalue() == said
