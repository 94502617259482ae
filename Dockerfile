# The image of one service, chosen by a build argument; `make images` builds all (docs/images.md).
#
#   docker build --build-arg SERVICE=studio --build-arg DEPENDENCIES=studio -t lumenmill-studio .
#
# BASE is Debian or a derivative, with Python 3.11 or newer and venv. PyTorch includes its CUDA libraries, so the same base is
# used for CPU and GPU; the node provides the driver.
ARG BASE=docker.io/library/python:3.12-slim-bookworm

# Wheels of the distributions of this repository, and lists of their third-party requirements, for all services.
FROM ${BASE} AS wheels
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_CERT=/etc/ssl/certs/ca-certificates.crt PIP_CACHE_DIR=/pip-cache
WORKDIR /source
COPY constraints.txt ./
RUN --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt --mount=type=secret,id=pip,target=/etc/pip.conf \
    python3 -m venv /opt/build && /opt/build/bin/pip install --quiet --constraint constraints.txt hatchling
COPY protos protos
COPY services services
COPY orchestrator orchestrator
COPY client client
COPY images/requirements.py images/requirements.py
RUN /opt/build/bin/pip wheel --quiet --no-deps --no-build-isolation --no-index --wheel-dir /wheels \
      ./protos ./services/* ./orchestrator ./client \
    && python3 images/requirements.py --all-to /requirements

# Third-party packages, in a layer that all services with the same DEPENDENCIES share.
FROM ${BASE} AS dependencies
ARG DEPENDENCIES
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_CERT=/etc/ssl/certs/ca-certificates.crt PIP_CACHE_DIR=/pip-cache
COPY constraints.txt /
COPY --from=wheels /requirements /requirements
RUN --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt --mount=type=secret,id=pip,target=/etc/pip.conf \
    --mount=type=cache,target=/pip-cache \
    python3 -m venv /opt/venv \
    && for service in ${DEPENDENCIES}; do echo "-r /requirements/$service.txt"; done > /requirements.txt \
    && /opt/venv/bin/pip install --quiet --constraint /constraints.txt --requirement /requirements.txt \
    && { [ -e /opt/venv/lib/python3*/site-packages/torch ] || /opt/venv/bin/pip uninstall --quiet --yes setuptools; } \
    && /opt/venv/bin/pip uninstall --quiet --yes pip

# The service, and its software bill of materials.
FROM dependencies AS service
ARG SERVICE
COPY --from=wheels /wheels /wheels
RUN --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt --mount=type=secret,id=pip,target=/etc/pip.conf \
    --mount=type=cache,target=/pip-cache \
    python3 -m venv /opt/tools && /opt/tools/bin/pip install --quiet 'cyclonedx-bom>=7,<8' \
    && cd /wheels && /opt/tools/bin/pip install --quiet --no-deps --no-index --target /opt/lumenmill $(cat /requirements/${SERVICE}.own) \
    && mkdir -p /opt/lumenmill/bin \
    && printf '#!/opt/venv/bin/python\nimport runpy\n\nrunpy.run_module("%s.__main__", run_name=__name__)\n' \
      "$(cat /requirements/${SERVICE}.module)" > /opt/lumenmill/bin/serve \
    && chmod 755 /opt/lumenmill/bin/serve && sed -i '1s,^#!.*,#!/opt/venv/bin/python,' /opt/lumenmill/bin/* \
    && PYTHONPATH=/opt/lumenmill /opt/tools/bin/cyclonedx-py environment --of JSON -o /opt/lumenmill/sbom.cdx.json /opt/venv/bin/python

# tini as process 1: the kernel does not deliver SIGTERM to a process 1 without a handler, such as a Python that imports or
# fetches, and the pod would hold its GPU until it is killed.
FROM ${BASE} AS init
RUN apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends tini > /dev/null \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin

FROM init
# Before all layers that differ between services, so that services with the same DEPENDENCIES share this one.
COPY --from=dependencies /opt/venv /opt/venv
ARG SERVICE
RUN --mount=type=bind,from=wheels,source=/requirements,target=/requirements \
    packages=$(cat /requirements/${SERVICE}.packages); [ -z "$packages" ] || { apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages > /dev/null \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin; }
COPY --from=service /opt/lumenmill /opt/lumenmill
COPY LICENSE /app/LICENSE
# Only /tmp and /var/cache/lumenmill need to be writable.
ENV PATH=/opt/lumenmill/bin:/opt/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/opt/lumenmill \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    HF_HOME=/var/cache/lumenmill/huggingface \
    TORCHINDUCTOR_CACHE_DIR=/var/cache/lumenmill/inductor \
    TRITON_CACHE_DIR=/var/cache/lumenmill/triton \
    NVIDIA_DRIVER_CAPABILITIES=compute,graphics,utility
WORKDIR /app
# Fail the build if the service cannot be imported.
RUN python -c "import runpy; runpy.run_path('/opt/lumenmill/bin/serve', run_name='imported')"
USER 65532:65532
EXPOSE 50051 50052 9464
ENTRYPOINT ["/usr/bin/tini", "--", "/opt/lumenmill/bin/serve"]
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="lumenmill-${SERVICE}" \
      org.opencontainers.image.description="Lumenmill: training data whose subject is light" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
