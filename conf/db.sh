# Paths of the corpora and checkpoints. An empty corpus is searched for below --db_root.
# Names are those of `python -m ser.bin.prepare_corpus`, in capitals.
# shellcheck shell=bash disable=SC2034
IEMOCAP=${IEMOCAP:-}       # https://sail.usc.edu/iemocap/, request form
MSP_IMPROV=${MSP_IMPROV:-} # https://ecs.utdallas.edu/research/researchlabs/msp-lab/MSP-Improv.html, license
RAVDESS=${RAVDESS:-}       # https://zenodo.org/record/1188976, CC BY-NC-SA 4.0
SAVEE=${SAVEE:-}           # http://kahlan.eps.surrey.ac.uk/savee/Download.html, registration
EMODB=${EMODB:-}           # http://emodb.bilderbar.info/, free
CAFE=${CAFE:-}             # https://zenodo.org/record/1478765, CC BY-NC-SA 4.0
URDU=${URDU:-}             # https://github.com/siddiquelatif/URDU-Dataset, research use
AESDD=${AESDD:-}           # http://m3c.web.auth.gr/research/aesdd-speech-emotion-recognition/
CASIA=${CASIA:-}           # ChineseLDC; the free subset of 1,200 files
ASED=${ASED:-}             # https://github.com/Ethio2021/ASED_V1
CREMA_D=${CREMA_D:-}       # https://github.com/CheyneyComputerScience/CREMA-D, Git LFS
EMNS=${EMNS:-}             # https://www.openslr.org/136/, Apache 2.0
EMOV_DB=${EMOV_DB:-}       # https://www.openslr.org/115/, non-commercial
EMOVO=${EMOVO:-}           # http://voice.fub.it/activities/corpora/emovo/index.html
EMOZIONALMENTE=${EMOZIONALMENTE:-} # https://zenodo.org/records/6569824, CC BY 4.0
ENTERFACE=${ENTERFACE:-}   # https://enterface.net/enterface05/emotion.html, MIT
ESD=${ESD:-}               # https://hltsingapore.github.io/ESD/, request
JL_CORPUS=${JL_CORPUS:-}   # https://www.kaggle.com/datasets/tli725/jl-corpus
MELD=${MELD:-}             # https://github.com/declare-lab/MELD
MESD=${MESD:-}             # https://data.mendeley.com/datasets/cy34mh68j9/5, CC BY 4.0
MSP_PODCAST=${MSP_PODCAST:-} # https://ecs.utdallas.edu/research/researchlabs/msp-lab/MSP-Podcast.html, license
NEMO=${NEMO:-}             # https://github.com/amu-cai/nEMO, CC BY-NC-SA 4.0
OREAU=${OREAU:-}           # https://zenodo.org/records/4405783
RESD=${RESD:-}             # https://huggingface.co/datasets/Aniemore/resd_annotated
SHEMO=${SHEMO:-}           # https://github.com/pariajm/sharif-emotional-speech-database
SUBESCO=${SUBESCO:-}       # https://zenodo.org/records/4526477, CC BY 4.0
TESS=${TESS:-}             # https://tspace.library.utoronto.ca/handle/1807/24487
TUREV_DB=${TUREV_DB:-}     # https://github.com/Xeonen/TurEV-DB, CC BY-NC-ND 4.0

# Folder of the ratings of Das et al. 2022 (EMO_DB.csv and others), if they are not next to the releases:
# utils/download_corpus.sh das2022 DIR
export DAS2022=${DAS2022:-}

# Checkpoint files of upstreams that have no download of their own.
export HUBERT_LARGE=${HUBERT_LARGE:-} # hubert_large_ll60k.pt from huggingface.co/s3prl/converted_ckpts
export SUPERB_ER=${SUPERB_ER:-}       # pytorch_model.bin from huggingface.co/superb/hubert-large-superb-er, Apache-2.0
export BYOL_S=${BYOL_S:-} # default512_BYOLAs64x96-...pth from github.com/Neclow/serab, MIT
