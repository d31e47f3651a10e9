# Where the corpora and checkpoints lie. A line left empty is looked for below --db_root.
# Names are those of `python -m ser.bin.prepare_corpus`, in capitals.
# shellcheck shell=bash disable=SC2034
RAVDESS=${RAVDESS:-} # https://zenodo.org/record/1188976, CC BY-NC-SA 4.0
EMODB=${EMODB:-}     # http://emodb.bilderbar.info/, free

# Checkpoint files of upstreams that have no download of their own.
export BYOL_S=${BYOL_S:-} # default512_BYOLAs64x96-...pth from github.com/Neclow/serab, MIT
