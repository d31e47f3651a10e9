"""Copy a trained row into a folder that works on any machine: with the checkpoint of its encoder as safetensors.

usage: python -m ser.bin.export EXP_DIR DEST

EXP_DIR is exp/ROW/seedN of a recipe, after stage 5. DEST must not exist. An encoder that s3prl downloads by its name
is not copied: it is downloaded where the model is used. Read the licenses of the corpora in the card before you share
it.
"""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from ser.errors import ConfigError, run_cli
from ser.system.files import hash_file, write_json
from ser.system.folders import check_place, replacing_folder

FILES = (
    "conf.yaml",
    "env.json",
    "model.json",
    "model.safetensors",
    "predict.safetensors",
    "metrics.json",
    "README.md",
)


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="EXP_DIR")
    parser.add_argument("dest", type=Path, metavar="DEST")
    parser.add_argument(
        "--ckpt", type=Path, metavar="FILE", help="checkpoint of the encoder, if its variable is not set"
    )
    args = parser.parse_args(argv)
    if os.path.lexists(args.dest):
        raise ConfigError(f"{args.dest}: already exists; name a new folder")
    check_place(args.dest, {"the trained row": args.folder})
    from ser.features.encoders.checkpoints import flat_checkpoint, read_checkpoint
    from ser.inference.model import ENCODER, Model
    from ser.training.checkpoint import save

    model = Model.open(args.folder, args.ckpt)
    with replacing_folder(args.dest, None) as part:
        for name in FILES:
            shutil.copyfile(args.folder / name, part / name)  # not its permissions
        if model.feature.ckpt is not None:
            tensors, settings = flat_checkpoint(read_checkpoint(model.feature.ckpt))
            save(part / ENCODER, tensors, settings)
            feature = {**model.about["feature"], "encoder_hash": hash_file(part / ENCODER)}
            write_json(part / "model.json", {**model.about, "feature": feature})
    size = sum(file.stat().st_size for file in args.dest.iterdir()) / 1e6
    print(f"wrote {args.dest} ({size:.1f} MB)")


if __name__ == "__main__":
    run_cli(main)
