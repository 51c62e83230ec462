"""Prometheus with blackbox_exporter."""

import json
from collections.abc import Mapping
from typing import Any

import yaml

from bench import children, machine
from bench.pages import fetch
from bench.sides import Load, Side


class Prometheus(Side):
    """Prometheus scrapes blackbox_exporter once for each probe and interval, and evaluates two rules on all of them
    once an interval. Everything else is as Debian ships it."""

    name = "prometheus + blackbox_exporter"

    _port = 0

    def up(self) -> int:
        _, body = fetch(self._port, "/api/v1/query?query=sum(probe_success)")
        found = json.loads(body)["data"]["result"]
        return int(found[0]["value"][1]) if found else 0

    def start(self, load: Load) -> None:
        prober, server = children.free_port(), children.free_port()
        self._port = server
        self._write("blackbox.yml", {"modules": {"http_2xx": _module(load)}})
        self._write("rules.yml", _rules(load))
        self._write("prometheus.yml", self._config(load, prober))
        for port, name, *command in (
            (
                prober,
                "blackbox",
                machine.need("prometheus-blackbox-exporter"),
                f"--config.file={self.folder}/blackbox.yml",
                f"--web.listen-address=127.0.0.1:{prober}",
            ),
            (
                server,
                "prometheus",
                machine.need("prometheus"),
                f"--config.file={self.folder}/prometheus.yml",
                f"--storage.tsdb.path={self.folder}/data",
                f"--web.listen-address=127.0.0.1:{server}",
            ),
        ):
            children.wait_for_port(port, *self._spawn(name, *command))

    def _config(self, load: Load, prober: int) -> Mapping[str, Any]:
        return {
            "global": {"scrape_interval": f"{load.every_s}s", "evaluation_interval": f"{load.every_s}s"},
            "rule_files": [f"{self.folder}/rules.yml"],
            "scrape_configs": [
                {
                    "job_name": "blackbox",
                    "metrics_path": "/probe",
                    "params": {"module": ["http_2xx"]},
                    "scrape_timeout": f"{min(load.every_s, load.timeout_s + 1)}s",
                    "static_configs": [{"targets": list(load.urls)}],
                    "relabel_configs": [
                        {"source_labels": ["__address__"], "target_label": "__param_target"},
                        {"source_labels": ["__param_target"], "target_label": "instance"},
                        {"target_label": "__address__", "replacement": f"127.0.0.1:{prober}"},
                    ],
                }
            ],
        }

    def _write(self, name: str, content: Mapping[str, Any]) -> None:
        (self.folder / name).write_text(yaml.safe_dump(content))


def _module(load: Load) -> Mapping[str, Any]:
    return {
        "prober": "http",
        "timeout": f"{load.timeout_s}s",
        "http": {"preferred_ip_protocol": "ip4", "tls_config": {"ca_file": str(load.certificate)}},
    }


def _rules(load: Load) -> Mapping[str, Any]:
    held = f"{load.hold_s}s"
    rules = [
        {"alert": "Down", "expr": "probe_success == 0", "for": held},
        {"alert": "Slow", "expr": "probe_duration_seconds > 0.9", "for": held},
    ]
    return {"groups": [{"name": "bench", "rules": rules}]}
