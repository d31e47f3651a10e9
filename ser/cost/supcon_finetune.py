"""What a row of Xiang costs with its encoder trained, see `ser.cost.supcon`."""

from __future__ import annotations

from collections.abc import Mapping

from ser.cost import supcon
from ser.cost.base import Work
from ser.cost.trainers import Lengths
from ser.methods.supcon_finetune import AudioBase, Config
from ser.system.devices import Device, make_fabric
from ser.training.run_data import RunData


def works(config: Config, data: RunData, seconds: Mapping[str, float], device: Device) -> list[Work]:
    """Count the steps of one training, see `Cost`."""
    lengths = Lengths(seconds, seconds, config.max_seconds, config.test_seconds, config.micro_batch_seconds)
    size = (config.encoder.model_dump_json(), config.max_seconds, config.micro_batch_seconds, config.precision)

    def base_of() -> AudioBase:
        return AudioBase(make_fabric(device, config.precision), config, data, 1, shared=False)

    return supcon.of_units(config, data, lengths, size, base_of)
