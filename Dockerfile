# syntax=docker/dockerfile:1
# The image of steerway: a root file system without shell and package manager, made by deploy/image/rootfs.sh, which tests run as well.
#
#   make image                                     # for this machine
#   make image ARGS='--platform linux/amd64,linux/arm64 --push' IMAGE=registry.example/steerway
#
# Both architectures are built by tools of the building machine: zig links the engine, and nothing of the image is executed.
# A wheel in dist/ that has the version and architecture is used as it is; without one, it is built here.

ARG RUST=1.95
FROM --platform=$BUILDPLATFORM rust:${RUST}-slim-bookworm AS build
ARG TARGETARCH
RUN apt-get update \
    && apt-get install --yes --no-install-recommends make mmdebstrap python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN deploy/image/build.sh "$TARGETARCH"

FROM scratch
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="steerway" \
      org.opencontainers.image.description="Control plane that steers gRPC traffic in Kubernetes over xDS, without sidecars" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="scratch" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /src/build/image/rootfs /
# Numeric, so that Kubernetes can check runAsNonRoot. The root file system may be read-only.
USER 65532:65532
ENV HOME=/nonexistent LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1
# xDS, and the admin server, which listens on the loopback interface only by default.
EXPOSE 18000 18001
STOPSIGNAL SIGTERM
# Kubernetes probes the admin server.
HEALTHCHECK NONE
ENTRYPOINT ["/usr/local/bin/steerway"]
CMD ["serve"]
