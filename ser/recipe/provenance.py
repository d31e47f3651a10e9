"""Where a row's labels come from: what its method declares, applied to a sketch of the split that tests a corpus.

A protocol draws the sketch from its settings (`Protocol.sketch`). So nothing here opens a test list, and a recipe
without its corpora has the same answer as one with them.
"""

from __future__ import annotations

from types import ModuleType

from ser.config import ConfigModel
from ser.splits.lists import Split, as_listed


def sources(method: ModuleType, config: ConfigModel, sketch: Split) -> list[str]:
    """List the corpora whose labels a row was trained on, support sets aside.

    Args:
        method: module of the row's method.
        config: of the row.
        sketch: of the split that tests a corpus.
    """
    supports = {utt for support in sketch.support.values() for utt in support}
    here = {utt.split("-")[0] for utt in method.trained_on(config, sketch) if utt not in supports}
    return sorted(here | set(method.ABOUT.trained_elsewhere))


def target_data(method: ModuleType, config: ConfigModel, sketch: Split) -> list[str]:
    """List what a row has seen of the tested corpus, words of `ser.types.TARGET_DATA`; arguments as for `sources`."""
    (tested,) = {utt.split("-")[0] for utt in sketch.test}
    seen = method.target_data(config, is_source=tested in sources(method, config, sketch))
    return sorted(as_listed(seen, [sketch]))
