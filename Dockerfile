# CPU:   docker build -t ser .
# CUDA:  docker build -t ser --build-arg BASE=nvidia/cuda:12.8.1-runtime-ubuntu24.04 .
# docker run --rm ser                          the demonstration, ./run.sh
# docker run --rm ser tests/run.sh             the tests
# docker run --rm -v /path/to/corpora:/corpora ser egs/ravdess2emodb/run.sh --db_root /corpora
ARG BASE=python:3.12-slim
FROM ${BASE}
# hadolint ignore=DL3008  # newer patches of the base's own packages are wanted
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends bash git libsndfile1 python3 python3-venv \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /ser
COPY . .
SHELL ["/bin/bash", "-c"]
RUN . utils/shell.sh && . utils/setup_env.sh && setup_env test pytest xdist hypothesis
CMD ["./run.sh"]
