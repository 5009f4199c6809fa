# edgecount on a PC or server (x86-64 or aarch64). On an NVIDIA Jetson: Dockerfile.jetson.
#
#   docker build -t edgecount .
#   docker run --rm -v "$PWD":/data -w /data edgecount run street.mp4 --line gate=0.5,0,0.5,1 > events.jsonl
#
# On an NVIDIA GPU of x86-64, with the driver and the NVIDIA container toolkit on the host:
#
#   docker build -t edgecount:gpu --build-arg ONNXRUNTIME='onnxruntime-gpu[cuda,cudnn]' .
#   docker run --rm --gpus all edgecount:gpu doctor
#
# As a service, its cameras and receivers in site/site.yaml, what it needs to know in docs/operations.md:
#
#   docker run -d --name edgecount --restart unless-stopped --network host --env-file secrets.env \
#       -v "$PWD"/site:/etc/edgecount -v edgecount:/var/lib/edgecount \
#       edgecount run --config /etc/edgecount/site.yaml
#
# The page's editor saves there if the folder belongs to the container's user (sudo chown -R 10001 site);
# /etc/edgecount:ro forbids it.

ARG BASE=debian:12.11-slim

FROM ${BASE} AS build
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3-venv \
    && rm -rf /var/lib/apt/lists/*
ARG ONNXRUNTIME=onnxruntime
WORKDIR /src
COPY pyproject.toml LICENSE NOTICE ./
COPY models models
COPY edge edge
# opencv-python links the libraries of a desktop, which its headless build does without. scipy and matplotlib,
# a third of all, come with filterpy, which only tests use.
RUN python3 -m venv /opt/edgecount \
    && /opt/edgecount/bin/pip install --no-cache-dir . "$ONNXRUNTIME" \
    && /opt/edgecount/bin/pip uninstall -y opencv-python \
    && /opt/edgecount/bin/pip install --no-cache-dir opencv-python-headless \
    && /opt/edgecount/bin/pip uninstall -y contourpy cycler fonttools kiwisolver matplotlib pillow scipy \
    && /opt/edgecount/bin/pip uninstall -y pip setuptools

FROM ${BASE}
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 10001 --groups video --no-create-home --home-dir /var/lib/edgecount edgecount \
    && install -d -o edgecount -g edgecount /var/lib/edgecount /var/cache/edgecount
COPY --from=build /opt/edgecount /opt/edgecount
ENV PATH=/opt/edgecount/bin:$PATH \
    HOME=/var/lib/edgecount \
    STATE_DIRECTORY=/var/lib/edgecount \
    CACHE_DIRECTORY=/var/cache/edgecount \
    HEALTH=http://127.0.0.1:8090/healthz

# By number: Kubernetes tells from it that it is not root.
USER 10001
WORKDIR /var/lib/edgecount
# Journal, evidence and models of one's own; TensorRT's engines.
VOLUME ["/var/lib/edgecount", "/var/cache/edgecount"]
# Counts when the config has `web: {listen: "127.0.0.1:8090"}`.
HEALTHCHECK --interval=30s --timeout=10s --start-period=1m --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(os.environ['HEALTH'], timeout=8)"]
ENTRYPOINT ["/opt/edgecount/bin/edge"]
CMD ["--help"]
