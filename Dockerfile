# syntax=docker/dockerfile:1
FROM python:3.13-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/watchkeeper
COPY requirements/run.lock requirements/
RUN /opt/watchkeeper/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/run.lock
COPY pyproject.toml README.md LICENSE ./
COPY watchkeeper watchkeeper
RUN /opt/watchkeeper/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation . \
 && /opt/watchkeeper/bin/pip uninstall -y -q flit_core pip

FROM python:3.13-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /var/lib/watchkeeper --create-home --shell /usr/sbin/nologin watchkeeper \
 && install -d /etc/watchkeeper
COPY --from=build /opt/watchkeeper /opt/watchkeeper
ENV PATH=/opt/watchkeeper/bin:$PATH PYTHONDONTWRITEBYTECODE=1
# The configuration is mounted at /etc/watchkeeper. It listens on 0.0.0.0:9321 and keeps its state below
# /var/lib/watchkeeper: docs/how-to/run-in-a-container.md
USER watchkeeper
WORKDIR /var/lib/watchkeeper
VOLUME /var/lib/watchkeeper
EXPOSE 9321
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:9321/-/healthy', timeout=4)"]
STOPSIGNAL SIGTERM
CMD ["watchkeeper", "run", "-c", "/etc/watchkeeper/watchkeeper.yaml"]
