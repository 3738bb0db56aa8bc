# The hub in a container: not root, on a read-only root. docs/install.md says how to run it.
FROM python:3.11-slim-bookworm AS build
WORKDIR /app
COPY requirements.lock ./
RUN python -m venv /usr/local/hub \
 && /usr/local/hub/bin/pip install --no-cache-dir --no-compile --require-hashes -r requirements.lock
COPY config.yaml LICENSE ./
COPY config config
COPY connectors connectors
COPY mappings mappings
COPY store store
COPY webhooks webhooks
COPY hub hub
RUN printf '#!/bin/sh\nexec /usr/local/hub/bin/python -m hub "$@"\n' > /usr/local/hub/bin/hub \
 && chmod 0755 /usr/local/hub/bin/hub \
 && /usr/local/hub/bin/python -m compileall -q /usr/local/hub/lib /app

FROM python:3.11-slim-bookworm
RUN groupadd --gid 10001 hub \
 && useradd --uid 10001 --gid 10001 --home-dir /var/lib/hub --no-create-home --shell /usr/sbin/nologin hub \
 && install -d -o hub -g hub -m 0700 /var/lib/hub
COPY --from=build /usr/local/hub /usr/local/hub
COPY --from=build /app /app
# PYTHONSAFEPATH: what lies in the folder of its data is never imported.
ENV PATH=/usr/local/hub/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONSAFEPATH=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HUB_CONFIG=/etc/hub/config.yaml \
    HUB_LISTEN=0.0.0.0:8080
USER 10001:10001
WORKDIR /var/lib/hub
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import urllib.request as ask; ask.urlopen('http://127.0.0.1:8080/livez', timeout=2)"]
ENTRYPOINT ["hub"]
CMD ["serve"]
