"""The page of encoders: one line for each upstream, and each note of contamination once."""

from __future__ import annotations

from ser.docs.encoders import encoders

FILES = {
    "a": "upstream: hf:o/a\nabout: {paper: P 1, trained_on: t, download: 1 MB, license: L, contamination: films.}\n",
    "a_frames": "base: a.yaml\npooling: none\n",
    "b": "base: a.yaml\nupstream: hf:o/b\nabout: {download: 2 MB}\n",
    "c": "base: a.yaml\nupstream: hf:o/c\nabout: {contamination: nothing.}\n",
    "without": "upstream: shortcut\n",
}


def test_files_of_one_upstream_share_a_line_and_those_that_heard_the_same_a_note(tmp_path):
    for name, text in FILES.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    _, _, *rows = encoders(tmp_path).splitlines()
    assert rows == [
        "| `a`, `a_frames` | `hf:o/a` | P 1 | t | 1 MB | L |",
        "| `b` | `hf:o/b` | P 1 | t | 2 MB | L |",
        "| `c` | `hf:o/c` | P 1 | t | 1 MB | L |",
        "", "What they may have heard:", "",
        "- `a`, `a_frames`, `b`: films.",
        "- `c`: nothing.",
    ]  # fmt: skip
