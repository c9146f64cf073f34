# SPDX-License-Identifier: Apache-2.0
# The image brings Python, torch and CUDA; what is added are a few small packages and this project.
#
#   docker build -t sg3-spect --build-arg UID=$(id -u) .
#   docker run --rm -it -v "$PWD:/data" sg3-spect dataset_tool_wav.py --source=/data/sounds --dest=/data/mine.zip
#   docker run --rm -it --gpus all --ipc=host --stop-timeout 120 -v "$PWD:/data" sg3-spect \
#       train.py --outdir=/data/trained_networks --data=/data/mine.zip ... --resume=auto
#
# Any image with torch >= 2.10 and Python >= 3.11 will do: --build-arg TORCH_IMAGE=...
ARG TORCH_IMAGE=pytorch/pytorch:2.10.0-cuda12.8-cudnn9-runtime
FROM ${TORCH_IMAGE}

WORKDIR /opt/sg3-spect

# What the project needs, with the image's own torch held fast.
COPY pyproject.toml constraints.txt ./
RUN python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"], sep="\n")' > requirements.txt
RUN python -c 'import torch; print(f"torch=={torch.__version__}")' > pinned.txt && grep -v '^torch==' constraints.txt >> pinned.txt
RUN PIP_BREAK_SYSTEM_PACKAGES=1 python -m pip install --no-cache-dir -c pinned.txt -r requirements.txt

# Kernels are compiled when they are first needed: Triton's want a C compiler, those of the CPU g++.
RUN apt-get update && apt-get install -y --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*

COPY LICENSE README.md dataset_tool_wav.py train.py gen_audio.py calc_metrics.py ./
COPY spect ./spect
COPY stylegan3 ./stylegan3
COPY patches ./patches
RUN python dataset_tool_wav.py --help && python train.py --help && python gen_audio.py --help

# Files in the mounted folder belong to the one who built the image; caches stay there from one run to the next.
ARG UID=1000
RUN mkdir -p /data && chown ${UID} /data
USER ${UID}
ENV HOME=/data \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    XDG_CACHE_HOME=/data/.cache \
    TORCH_EXTENSIONS_DIR=/data/.cache/torch_extensions \
    TORCHINDUCTOR_CACHE_DIR=/data/.cache/inductor \
    TRITON_CACHE_DIR=/data/.cache/triton
VOLUME /data

# The exec form: python is process 1 and gets docker stop's SIGTERM, upon which train.py saves and ends.
ENTRYPOINT ["python"]
CMD ["train.py", "--help"]
