"""The inverse of utt2spk. Reading and writing of maps is tested with data directories."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser.data.maps import invert, spk2utt_of
from ser.errors import DataError


def test_spk2utt_of_an_unsorted_file(tmp_path):
    (tmp_path / "utt2spk").write_text("c-b-1 c-b\nc-a-2 c-a\nc-a-1 c-a\n")
    assert list(spk2utt_of(tmp_path / "utt2spk").items()) == [("c-a", "c-a-1 c-a-2"), ("c-b", "c-b-1")]
    (tmp_path / "utt2spk").write_text("c-b-1 c-b c\n")
    with pytest.raises(DataError, match="'c-b-1' has the speaker 'c-b c', expected one word"):
        spk2utt_of(tmp_path / "utt2spk")


@given(st.dictionaries(st.text("abc-", min_size=1), st.text("ab", min_size=1), max_size=9))
def test_inverse_of_the_inverse(utt2spk):
    spk2utt = invert(utt2spk)
    assert {utt: spk for spk, utts in spk2utt.items() for utt in utts.split()} == utt2spk
