#!/bin/sh
# Resolves the dependencies of pyproject.toml for every supported Python and platform, with hashes and without
# naming an index. uv is only needed here; installing takes plain pip.
set -eu
cd "$(dirname "$0")/.."
.venv/bin/python -m pip install -q "uv>=0.9"
lock() { .venv/bin/uv pip compile -q --upgrade --universal --generate-hashes --no-header --no-annotate \
         --no-emit-index-url --no-emit-find-links pyproject.toml "$@"; }
lock --group build -o requirements/run.lock
lock --group dev -c requirements/run.lock -o requirements/dev.lock
