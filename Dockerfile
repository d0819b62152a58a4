# One image for every role: "up --role ingest", "up --role jobs", "up --role api". Nothing in it runs as root.

FROM python:3.12-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /source
# The locked libraries first: they change seldom, and this layer is kept as long as they do not.
COPY requirements/runtime.txt requirements/build.txt requirements/
RUN python -m venv --without-pip /opt/hearthwatch/venv \
    && python -m pip --python /opt/hearthwatch/venv/bin/python install --no-cache-dir --require-hashes --only-binary :all: \
        -r requirements/runtime.txt \
    && python -m pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY hearthwatch hearthwatch
COPY ingest ingest
COPY analytics analytics
COPY alerts alerts
COPY api api
COPY device_sim device_sim
RUN python -m pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheel . \
    && python -m pip --python /opt/hearthwatch/venv/bin/python install --no-cache-dir --no-deps /wheel/hearthwatch-*.whl
COPY deploy/init /opt/hearthwatch/init

FROM python:3.12-slim
LABEL org.opencontainers.image.title="Hearthwatch" \
      org.opencontainers.image.description="Predictive maintenance for makers of smart-home devices" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 hearthwatch \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/hearthwatch --shell /usr/sbin/nologin hearthwatch \
    && install -d -o 10001 -g 10001 -m 0750 /var/lib/hearthwatch
COPY --from=build /opt/hearthwatch /opt/hearthwatch
ENV PATH=/opt/hearthwatch/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HEARTHWATCH_DATA_DIR=/var/lib/hearthwatch \
    HEARTHWATCH_HOST=0.0.0.0
USER 10001:10001
WORKDIR /var/lib/hearthwatch
VOLUME /var/lib/hearthwatch
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=6 CMD ["python", "/opt/hearthwatch/init/healthy.py"]
ENTRYPOINT ["hearthwatch"]
CMD ["up"]
