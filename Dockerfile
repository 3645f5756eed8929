# docker build -t tacit .
# docker run --name tacit -p 8080:8080 -v tacit:/var/lib/tacit --stop-timeout 90 --memory 4g --memory-swap 4g tacit
# docker exec tacit tacit status
#
# Equal --memory and --memory-swap: bodies live in memory only, and memory that is swapped out would be on a disk.
FROM rust:1.95-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends cmake && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --release --locked -p tacit

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --user-group --home-dir /var/lib/tacit --no-create-home tacit \
    && install -d -m 0700 -o tacit -g tacit /var/lib/tacit
COPY --from=build /src/target/release/tacit /usr/local/bin/tacit
USER tacit
VOLUME /var/lib/tacit
EXPOSE 8080
ENV TACIT_DATA_DIR=/var/lib/tacit TACIT_GATEWAY__LISTEN=0.0.0.0:8080
# The sandbox of the gateway needs Landlock and seccomp from the host's kernel; both pass Docker's default profile.
CMD ["sh", "-c", "tacit setup && exec tacit serve"]
