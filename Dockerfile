# Palimpsest in a container; docs/docker.md tells how to use it. It is built for a CPU unless told otherwise:
#
#     docker build --tag palimpsest:cpu .
#     docker build --tag palimpsest:nvidia --build-arg TORCH_INDEX_URL=https://download.pytorch.org/whl/cu130 .

ARG PYTHON_IMAGE=python:3.11-slim-trixie
FROM ${PYTHON_IMAGE}

LABEL org.opencontainers.image.title="Palimpsest" \
    org.opencontainers.image.description="A Discord bot for image-to-image generation" \
    org.opencontainers.image.licenses="MIT"

ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1

# The folders exist before they become volumes, so that a new volume belongs to the user who writes there.
RUN useradd --uid 10001 --home-dir /app --no-create-home --shell /usr/sbin/nologin palimpsest \
    && install --directory --owner=palimpsest --group=palimpsest /data /cache \
    && python3 -m venv /venv

WORKDIR /app

# What changes least comes first. For a card, Triton compiles what starts its kernels while the bot runs: with a C
# compiler, libc's headers and Python's, which Debian's own Python comes without. Nothing on a card asks for C++.
ARG TORCH_INDEX_URL=https://download.pytorch.org/whl/cpu
RUN case "$TORCH_INDEX_URL" in */cpu) exit ;; esac; \
    header="$(python -c "import sysconfig; print(sysconfig.get_path('include'))")/Python.h" \
    && apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev $([ -e "$header" ] || echo libpython3-dev) \
    && rm -rf /var/lib/apt/lists/*

# Every package has a wheel: nothing is compiled here. pip refuses any file whose sha256 is not in the lock; what it has
# fetched stays with the builder for the next time. An empty TORCH_INDEX_URL takes torch from the default index as well,
# whose build for Linux is the one with CUDA; another index has builds of its own, which the lock cannot know: of torch
# and what torch alone brings along only the version is certain then.
COPY requirements.lock ./
RUN --mount=type=cache,target=/root/.cache/pip \
    pip="python -m pip --disable-pip-version-check" \
    && if [ -n "$TORCH_INDEX_URL" ]; then \
        awk '/^[a-z]/ { of_torch = /^(torch|triton|nvidia-|cuda-)/ } !of_torch' requirements.lock > /tmp/without-torch.lock \
        && $pip install --require-hashes --only-binary :all: --no-deps --requirement /tmp/without-torch.lock \
        && rm /tmp/without-torch.lock \
        && $pip install "$(grep --only-matching '^torch==[^ ]*' requirements.lock)" --index-url "$TORCH_INDEX_URL"; \
    else \
        $pip install --require-hashes --only-binary :all: --requirement requirements.lock; \
    fi \
    && $pip check \
    && $pip uninstall --yes pip

# The modes are set because a checkout under a strict umask would be unreadable for the user below.
COPY --chmod=755 LICENSE ./
COPY --chmod=755 models models
COPY --chmod=755 generation generation
COPY --chmod=755 playground playground
COPY --chmod=755 bot bot
RUN python -m compileall -q bot generation playground

# After pip: its own cache lies at XDG_CACHE_HOME too, and belongs to the builder.
ENV DATA_DIR=/data \
    XDG_CACHE_HOME=/cache \
    HF_HOME=/cache/huggingface
VOLUME ["/data", "/cache"]
# A number, for whoever has to see that it is not root's: Kubernetes' runAsNonRoot.
USER 10001
STOPSIGNAL SIGTERM

# Healthy: the bot's event loop runs and its database can be written.
HEALTHCHECK --interval=60s --timeout=10s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as web; web.urlopen(f\"http://127.0.0.1:{os.environ.get('MONITORING_PORT') or 9330}/healthz\", timeout=8)"]

CMD ["python", "-m", "bot"]
