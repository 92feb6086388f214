# syntax=docker/dockerfile:1

# The image holds one static binary, the certificates of public authorities, and
# nothing to log into.
#
#   docker build --build-arg VERSION=$(git describe --tags --always) -t spanwire .
#   docker run --rm -p 8080:8080 spanwire
FROM --platform=$BUILDPLATFORM golang:1.26-alpine AS build
RUN apk add --no-cache ca-certificates
WORKDIR /src

# The modules first: they change less often than the code.
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download

COPY . .
ARG TARGETOS TARGETARCH
ARG VERSION=dev
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/go/cache \
    GOCACHE=/go/cache CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -ldflags "-s -w -X main.version=$VERSION" -o /out/spanwire ./cmd/proxy

# Folders that the process may write to; scratch has no mkdir.
RUN mkdir -p /out/data /out/tmp && chmod 1777 /out/tmp

FROM scratch
ARG VERSION=dev
LABEL org.opencontainers.image.title="Spanwire" \
      org.opencontainers.image.description="LLM reverse proxy with automatic tracing" \
      org.opencontainers.image.source="https://github.com/spanwire/spanwire" \
      org.opencontainers.image.documentation="https://github.com/spanwire/spanwire/blob/main/docs/deploy.md" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION"

COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/spanwire /spanwire
COPY --from=build --chown=65532:65532 /out/data /data
COPY --from=build /out/tmp /tmp
COPY LICENSE /LICENSE

# In a container loopback is the container's own: the port is published on purpose.
# The admin address stays on loopback; publish it with SPANWIRE_ADMIN=0.0.0.0:8081.
ENV SPANWIRE_LISTEN=0.0.0.0:8080
EXPOSE 8080 8081

# 65532: the nonroot user of distroless images; a number, so that Kubernetes can
# check runAsNonRoot.
USER 65532:65532
WORKDIR /data
STOPSIGNAL SIGTERM

# The binary asks its own /readyz; there is no shell and no curl in here.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 CMD ["/spanwire", "healthcheck"]

ENTRYPOINT ["/spanwire"]
