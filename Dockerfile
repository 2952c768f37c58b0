# The environment is built once, from wheels checked against their hashes, and copied: no pip, no compiler, no cache in
# the image that runs.
FROM python:3.11-slim AS build
RUN python -m venv --without-pip /opt/venv
# requirements-otel.txt has what traces need as well.
ARG LOCK=requirements.txt
COPY ${LOCK} /tmp/requirements.txt
RUN python -m pip --python /opt/venv/bin/python install --quiet --no-cache-dir --disable-pip-version-check \
    --require-hashes --only-binary :all: -r /tmp/requirements.txt
COPY . /app
# The root is read-only when it runs, so the bytecode is made here, and trusted whatever a copy did to the times.
RUN rm /app/requirements*.txt && python -m compileall -q --invalidation-mode unchecked-hash /app

FROM python:3.11-slim
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DATA_DIR=/data
RUN mkdir --mode=0700 /data && chown 10001:10001 /data
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
WORKDIR /app
USER 10001:10001
VOLUME /data
EXPOSE 8976
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ.get('PORT') or 8976), timeout=4); c.request('GET', '/v1/health/live'); sys.exit(c.getresponse().status != 200)"]
# Exec form, and `serve` becomes the server's own process: SIGTERM reaches it and streams end in peace.
CMD ["python", "app.py", "serve"]
