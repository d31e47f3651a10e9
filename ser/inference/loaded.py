"""A trained system as a Python object: `ser.load_model(folder).predict(paths)`, the lines of `ser.bin.predict`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ser.errors import ConfigError
from ser.inference.model import Model
from ser.inference.predict import Predictor, named_audio, windows_of
from ser.system.devices import device_of


@dataclass(frozen=True)
class LoadedModel:
    """A trained system.

    Attributes:
        model: as it was read from its folder.
    """

    model: Model

    @classmethod
    def open(cls, folder: Path, ckpt: Path | None = None) -> LoadedModel:
        """Read a model, see `ser.load_model`."""
        return cls(Model.open(folder, ckpt))

    @property
    def classes(self) -> list[str]:
        """Names of the emotions, in the order of their indices."""
        return list(self.model.classes)

    def predict(
        self,
        paths: str | Path | Iterable[str | Path],
        *,
        corpus: str | None = None,
        speakers: Mapping[str, str] | None = None,
        one_speaker: bool = False,
        window: float | None = None,
        hop: float | None = None,
        abstain: float = 0.0,
        device: str = "cpu",
    ) -> list[dict[str, Any]]:
        """Predict audio.

        Args:
            paths: files, folders with all below them, or data directories; one or several.
            corpus: which corpus of the recipe the audio is treated as, for systems that need to know.
            speakers: path (or id) -> speaker, for systems with statistics of speakers.
            one_speaker: whether all audio is of one person.
            window, hop: seconds, for audio that is longer than all of the recipe.
            abstain: probability below which there is no label, in [0, 1].
            device: cpu, cuda, or auto.

        Returns:
            One dictionary for each file or window, in order, with the keys that docs/models.md explains; a file that
            cannot be used has `error`.

        Raises:
            ConfigError: for audio whose speaker has to be known and is not.
        """
        if isinstance(paths, (str, Path)):
            paths = [paths]
        audio = list(named_audio([Path(path) for path in paths]))
        if self.model.of_speakers and not one_speaker:
            missing = [utt for utt, _ in audio if utt not in (speakers or {})]
            if missing:
                raise ConfigError(f"predict: this model uses each speaker's own statistics, and the speaker of "
                                  f"'{missing[0]}' is not known; give speakers, or one_speaker=True")  # fmt: skip
        corpus = self.model.corpus(corpus)
        chosen = self.model.chosen(corpus, None, None, None)
        predictor = Predictor(self.model, chosen, corpus, device_of(device), least=abstain)
        windows = windows_of(self.model.about["seconds"], window, hop)
        return list(predictor.lines(audio, windows, speakers if self.model.of_speakers else None))
