"""Mini-batches over several corpora: shares and passes, and domains."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from ser.training.domain_batches import (
    UNKNOWN,
    DomainBatches,
    DomainLabels,
    deal,
    pools_of,
)

# ---- Which utterances come when -------------------------------------------------------------------------------


def pools(*sizes: int) -> list[list[str]]:
    return [[f"{name}{i}" for i in range(size)] for name, size in zip("abc", sizes, strict=False)]


@settings(deadline=None)
@given(st.lists(st.integers(1, 7), min_size=1, max_size=3), st.integers(0, 30), st.integers(0, 20))
def test_pools_have_equal_shares_and_every_pass_holds_everyone_once(sizes, start, count):
    dealt = deal(pools(*sizes), 0, start + count, "seed")
    share = Counter(utt[0] for utt in dealt)
    assert len(dealt) == start + count
    assert max(share.values(), default=0) - min((share[name] for name in "abc"[: len(sizes)]), default=0) <= 1
    for name, size in zip("abc", sizes, strict=False):
        own = [utt for utt in dealt if utt[0] == name]
        for i in range(0, len(own) - size + 1, size):
            assert len(set(own[i : i + size])) == size
    parts = [deal(pools(*sizes), *part, "seed") for part in ((0, start), (start, count))]
    for name in "abc":  # wherever a batch begins, the list is the same
        assert [utt for part in parts for utt in part if utt[0] == name] == [u for u in dealt if u[0] == name]


def test_passes_are_shuffled_by_name():
    once, twice = deal(pools(20), 0, 20, 1), deal(pools(20), 20, 20, 1)
    assert sorted(once) == sorted(twice) == sorted(pools(20)[0])
    assert len({tuple(order) for order in (once, twice, deal(pools(20), 0, 20, 2), pools(20)[0])}) == 4


def test_an_epoch_is_one_pass_over_the_labelled_utterances():
    batches = DomainBatches(pools(10), [], size=4, seed=1)
    for epoch in range(2):
        parts = [batches.of(epoch, number) for number in range(batches.n_batches)]
        assert [len(source) for source, _ in parts] == [4, 4, 2]
        assert sorted(utt for source, _ in parts for utt in source) == sorted(pools(10)[0])
        assert not any(target for _, target in parts)


def test_an_epoch_of_steps_has_full_batches_and_goes_on_where_the_one_before_stopped():
    source, target = pools(10, 7)
    batches = DomainBatches([source], [target], size=8, seed=1, steps=3)
    assert batches.n_batches == 3
    drawn = [batches.of(epoch, number) for epoch in range(2) for number in range(3)]
    for part, pool, name in ((0, source, "source"), (1, target, "target")):
        assert [len(batch[part]) for batch in drawn] == [4] * 6
        assert [utt for batch in drawn for utt in batch[part]] == deal([pool], 0, 24, 1, name)


def test_a_batch_is_half_source_half_target_and_targets_are_drawn_equally():
    source, *target = pools(11, 3, 40)
    batches = DomainBatches([source], target, size=8, seed=1)
    assert batches.n_batches == 3
    drawn = [batches.of(*place) for place in ((0, 0), (0, 1), (0, 2), (1, 0))]
    assert [(len(s), len(t)) for s, t in drawn] == [(4, 4), (4, 4), (3, 3), (4, 4)]
    share = Counter(utt[0] for _, targets in drawn for utt in targets)
    assert abs(share["b"] - share["c"]) <= 1
    assert max(Counter(utt for _, t in drawn for utt in t if utt[0] == "c").values()) == 1  # goes on over epochs


def test_target_audio_changes_no_order_of_the_source():
    source, target = pools(10, 5)
    alone, beside = DomainBatches([source], [], size=4, seed=3), DomainBatches([source], [target], size=8, seed=3)
    assert [alone.of(e, n)[0] for e in (0, 1) for n in (0, 1, 2)] == [
        beside.of(e, n)[0] for e in (0, 1) for n in (0, 1, 2)
    ]


def test_balanced_source_pools():
    batches = DomainBatches(pools(2, 10), [], size=6, seed=1)
    share = Counter(utt for number in range(2) for utt in batches.of(0, number)[0])
    assert sum(n for utt, n in share.items() if utt[0] == "a") == 6 and share["a0"] == share["a1"] == 3


def test_pools_by_group():
    assert pools_of(["x1", "y1", "x2"], {"x1": "q", "x2": "q", "y1": "p"}) == {"p": ["y1"], "q": ["x1", "x2"]}


# ---- Domains --------------------------------------------------------------------------------------------------


def test_domains_have_the_order_of_their_names_and_may_be_unknown():
    factors = {
        "corpus": {"1": "msp", "2": "emodb", "3": "iemocap", "4": "aesdd"},
        "gender": {"1": "m", "3": "f"},
        "language": {"1": "en", "2": "en", "3": "en", "4": "el"},
        "speaker": {},
    }
    labels = DomainLabels.of_data(factors, ["gender", "language", "corpus", "speaker"], ["1", "2", "3"])
    assert labels.domains == {"gender": ["f", "m"], "corpus": ["emodb", "iemocap", "msp"]}
    assert labels.sizes() == {"gender": 2, "corpus": 3}
    assert labels.left_out == {"language": "en alone", "speaker": "not known"}
    indices = labels.of(["1", "2", "3", "1"])
    assert indices["gender"].tolist() == [1, UNKNOWN, 0, 1] and indices["corpus"].tolist() == [2, 0, 1, 2]
