# The bot as a service, without a build system, a shell user or a password in it.
# docs/operating.md says what it needs: /etc/steadyhand for its files, /var/lib/steadyhand for its journal.

FROM rust:1.95-slim-bookworm AS build
# What the client of Discord is built with.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libssl-dev pkg-config \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY src src
# The manifest names the tests; none is built.
COPY tests tests
RUN cargo build --release --locked --bin steadyhand

FROM debian:bookworm-slim
# tini takes care of what ssh leaves behind, and hands signals on. git is there for the commit of a checkout only.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates git libssl3 openssh-client tini \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --user-group --home-dir /var/lib/steadyhand --create-home --shell /usr/sbin/nologin steadyhand \
 && chmod 0700 /var/lib/steadyhand
COPY --from=build /build/target/release/steadyhand /usr/local/bin/steadyhand
COPY runbooks /usr/share/steadyhand/runbooks
COPY docs/serve/steadyhand.toml /usr/share/steadyhand/steadyhand.toml

ENV STEADYHAND_CONFIG=/etc/steadyhand/steadyhand.toml \
    STEADYHAND_JOURNAL=/var/lib/steadyhand/steadyhand.db \
    STEADYHAND_SERVE_LOG_FORMAT=json
# By number, so that a cluster can see that it is not root.
USER 10001:10001
WORKDIR /var/lib/steadyhand
VOLUME /var/lib/steadyhand
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=10s --start-period=30s --retries=3 CMD ["steadyhand", "health"]
ENTRYPOINT ["tini", "--", "steadyhand"]
CMD ["serve"]
