# Palimpsest in a container; see docs/docker.md. The default build is for a CPU:
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

# The folders exist before they become volumes, so that new volumes belong to this user.
RUN useradd --uid 10001 --home-dir /app --no-create-home --shell /usr/sbin/nologin palimpsest \
    && install --directory --owner=palimpsest --group=palimpsest /data /cache \
    && python3 -m venv /venv

WORKDIR /app

# Steps that rarely change come first. On an NVIDIA card Triton compiles kernel launchers while the bot runs. It needs
# a C compiler and the headers of libc and Python; Debian's own Python comes without headers. C++ is not needed.
ARG TORCH_INDEX_URL=https://download.pytorch.org/whl/cpu
RUN case "$TORCH_INDEX_URL" in */cpu) exit ;; esac; \
    header="$(python -c "import sysconfig; print(sysconfig.get_path('include'))")/Python.h" \
    && apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev $([ -e "$header" ] || echo libpython3-dev) \
    && rm -rf /var/lib/apt/lists/*

# Every package has a wheel, so nothing is compiled here. pip refuses files whose sha256 is not in the lock, and the
# builder caches downloads. An empty TORCH_INDEX_URL takes torch from the default index, whose Linux build includes
# CUDA. Another index has builds of its own that the lock cannot know: then only the versions of torch and of the
# packages that only torch needs are certain.
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

# The modes are set because a checkout with a strict umask would be unreadable for the user below.
COPY --chmod=755 LICENSE ./
COPY --chmod=755 models models
COPY --chmod=755 generation generation
COPY --chmod=755 playground playground
COPY --chmod=755 bot bot
RUN python -m compileall -q bot generation playground

# Set after pip has run: pip would put its cache, which belongs to the builder, under XDG_CACHE_HOME too.
ENV DATA_DIR=/data \
    XDG_CACHE_HOME=/cache \
    HF_HOME=/cache/huggingface
VOLUME ["/data", "/cache"]
# A number, so that Kubernetes' runAsNonRoot can see that it is not root.
USER 10001
STOPSIGNAL SIGTERM

# Healthy means that the bot's event loop runs and its database can be written.
HEALTHCHECK --interval=60s --timeout=10s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as web; web.urlopen(f\"http://127.0.0.1:{os.environ.get('MONITORING_PORT') or 9330}/healthz\", timeout=8)"]

CMD ["python", "-m", "bot"]
