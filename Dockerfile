# Images of Internal Physics, for a CPU and for a GPU, with the packages of requirements.lock.
#   docker build -t internal-physics .
#   docker build --build-arg DEVICE=gpu -t internal-physics:gpu .
#   docker run --rm -v "$PWD:/lab" internal-physics look path:my-model "The capital of France is"
ARG DEVICE=cpu

FROM python:3.11-slim-bookworm AS base
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PYTHONUNBUFFERED=1
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git libgomp1 \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY requirements.lock ./

# TORCH_INDEX: the address of an index with CPU builds of torch, which are much smaller. Without it, PyPI's build is used.
FROM base AS packages-cpu
ARG TORCH_INDEX=
RUN if [ -n "$TORCH_INDEX" ]; then pip install --index-url "$TORCH_INDEX" torch==2.13.0; fi \
    && pip install -r requirements.lock

# PyPI's build of torch has CUDA's libraries; the driver is the host's (docker run --gpus all).
FROM base AS packages-gpu
RUN pip install -r requirements.lock
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility

FROM packages-${DEVICE} AS image
COPY pyproject.toml setup.py MANIFEST.in README.md LICENSE Snakefile config.yaml ./
COPY config config
COPY envs envs
COPY profiles profiles
COPY report report
COPY resources resources
COPY rules rules
COPY scripts scripts
RUN pip install --no-deps . && rm -rf /build && useradd --create-home lab && mkdir /lab && chown lab /lab
USER lab
WORKDIR /lab
ENTRYPOINT ["internal-physics"]
CMD ["--help"]
