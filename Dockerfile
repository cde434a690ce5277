# The service with its locked dependencies and the embedded default: no key, no server, no outgoing connection needed.
#   docker build --tag gridgram .
#   docker run --read-only --tmpfs /tmp --publish 127.0.0.1:8080:8080 gridgram
FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv --without-pip /opt/gridgram
COPY requirements.lock ./
RUN python -m pip --python /opt/gridgram/bin/python install \
    --no-cache-dir --require-hashes --only-binary :all: --requirement requirements.lock
RUN python -m venv --without-pip /opt/docs
COPY requirements-docs.lock ./
RUN python -m pip --python /opt/docs/bin/python install \
    --no-cache-dir --require-hashes --only-binary :all: --requirement requirements-docs.lock
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY cache/ cache/
COPY gridgram/ gridgram/
COPY providers/ providers/
COPY service/ service/
COPY openapi.yaml ./
COPY deploy/ deploy/
COPY docs/ docs/
COPY examples/ examples/
RUN /opt/docs/bin/python docs/site/build.py
# The lock brings the build backend too, so nothing unpinned is fetched here.
RUN python -m pip --python /opt/gridgram/bin/python install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.13-slim
COPY --from=build /opt/gridgram /opt/gridgram
# A number, so that an orchestrator can see that it is not root.
RUN install --directory --owner 10001 --group 10001 /var/cache/gridgram /var/lib/gridgram
ENV PATH=/opt/gridgram/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    GRIDGRAM_STORE=sqlite:////var/cache/gridgram/series.sqlite \
    GRIDGRAM_RECORDS=sqlite:////var/lib/gridgram/records.sqlite \
    GRIDGRAM_BACKFILL_FOLDER=/var/lib/gridgram/backfills
VOLUME /var/cache/gridgram /var/lib/gridgram
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=3s --start-period=10s CMD ["/opt/gridgram/bin/python", "-c", \
    "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=2)"]
ENTRYPOINT ["gridgram"]
CMD ["serve", "--host", "0.0.0.0"]
