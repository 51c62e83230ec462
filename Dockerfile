# The Python that the tests run on. Both stages take the same: the second runs the first one's venv.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/watchkeeper
COPY requirements/run.lock requirements/
RUN /opt/watchkeeper/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/run.lock
COPY pyproject.toml README.md LICENSE ./
COPY watchkeeper watchkeeper
RUN /opt/watchkeeper/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation . \
 && /opt/watchkeeper/bin/pip uninstall -y -q flit_core setuptools pip

FROM python:3.11-slim-bookworm
RUN useradd --uid 10001 --home-dir /var/lib/watchkeeper --no-create-home --shell /usr/sbin/nologin watchkeeper \
 && install -d /etc/watchkeeper \
 && install -d -o watchkeeper -g watchkeeper -m 750 /var/lib/watchkeeper
COPY --from=build /opt/watchkeeper /opt/watchkeeper
ENV PATH=/opt/watchkeeper/bin:$PATH PYTHONDONTWRITEBYTECODE=1
# The configuration is mounted at /etc/watchkeeper. It listens on 0.0.0.0:9321 and keeps its state below
# /var/lib/watchkeeper: docs/how-to/run-in-a-container.md
# A number, so that Kubernetes can tell that it is not root.
USER 10001
WORKDIR /var/lib/watchkeeper
VOLUME /var/lib/watchkeeper
EXPOSE 9321
# Not with urllib: that would ask the proxy of HTTP_PROXY for 127.0.0.1.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s \
  CMD ["python", "-c", "from http.client import HTTPConnection as C; c = C('127.0.0.1', 9321, timeout=4); c.request('GET', '/-/healthy'); raise SystemExit(c.getresponse().status != 200)"]
STOPSIGNAL SIGTERM
CMD ["watchkeeper", "run", "-c", "/etc/watchkeeper/watchkeeper.yaml"]
