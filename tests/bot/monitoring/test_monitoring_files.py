"""Dashboard and alerts name only metrics that the bot has, and Prometheus' own tool accepts both."""

import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from bot.errors import Refused
from bot.monitoring.gauges import Gauges
from bot.monitoring.metrics import Metrics
from bot.storage.job import JobState
from tests.bot.jobs_made import make_job
from tests.bot.monitoring.test_monitoring import FakeBot, FakeExecutor

FOLDER = Path(__file__).parents[3] / "monitoring"
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(
    PROMTOOL is None, reason="promtool is not here (Debian's package prometheus has it)"
)

# Prometheus itself provides this one.
OWN_OF_PROMETHEUS = {"up"}
NAME = re.compile(r"\b(?:palimpsest_\w+|process_\w+|python_\w+|up)\b")
LABEL = re.compile(r"(?P<name>\w+)\{(?P<selector>[^}]*)\}")


def exposition() -> bytes:
    """Return /metrics of a bot in which everything has happened once."""
    metrics, executor = Metrics(), FakeExecutor()
    executor.device_memory_bytes, executor.losses = 1, Counter({"executor_died": 1})
    metrics.registry.register(Gauges(FakeBot(), executor))
    metrics.refused(Refused("queue_full"))
    metrics.settled(make_job(state=JobState.FAILED, failure_kind="internal"))
    return generate_latest(metrics.registry)


def samples() -> dict[str, set[str]]:
    """Return the labels of every series by name."""
    families = text_string_to_metric_families(exposition().decode())
    found: dict[str, set[str]] = {}
    for family in families:
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((FOLDER / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    return json.loads((FOLDER / "grafana-dashboard.json").read_text(encoding="utf-8"))["panels"]


def expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in rules())
    yield from (target["expr"] for panel in panels() for target in panel["targets"])


def test_only_figures_and_labels_that_exist_are_named() -> None:
    known = samples()
    for expression in expressions():
        named = set(NAME.findall(expression))
        assert named, expression
        assert named <= known.keys() | OWN_OF_PROMETHEUS, expression
        labels = {label for name in named for label in known.get(name, ())} | {"job"}
        for grouping in re.findall(r"by \(([^)]*)\)", expression):
            assert {label.strip() for label in grouping.split(",")} <= labels, expression
        for match in LABEL.finditer(expression):
            assert set(re.findall(r"(\w+)\s*=~?", match["selector"])) <= labels, expression


def test_every_figure_of_the_bots_own_is_on_the_dashboard() -> None:
    shown = {name for panel in panels() for target in panel["targets"] for name in NAME.findall(target["expr"])}
    families = text_string_to_metric_families(exposition().decode())
    for family in families:
        if family.name.startswith("palimpsest_"):
            assert shown & {sample.name for sample in family.samples}, family.name


def test_panels_and_alerts_say_what_they_are() -> None:
    assert len({panel["id"] for panel in panels()}) == len(panels())
    for rule in rules():
        assert rule["annotations"]["summary"].endswith(".")
        assert rule["labels"]["severity"] in ("warning", "critical")


def promtool(*arguments: str, text: bytes = b"") -> str:
    assert PROMTOOL is not None
    done = subprocess.run([PROMTOOL, *arguments], input=text, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return (done.stdout + done.stderr).decode()


@needs_promtool
def test_prometheus_takes_rules_and_configuration() -> None:
    assert f"{len(rules())} rules found" in promtool("check", "rules", str(FOLDER / "alerts.yaml"))
    promtool("check", "config", str(FOLDER / "prometheus.yaml"))


def test_what_an_alert_counts_is_there_before_it_happens() -> None:
    # A series that first appears with its first event shows no increase.
    first = generate_latest(Metrics().registry).decode()
    named = {kind for rule in rules() for kind in re.findall(r'kind="(\w+)"', rule["expr"])}
    assert named
    assert all(f'palimpsest_job_failures_total{{kind="{kind}"}} 0.0' in first for kind in named)


@needs_promtool
def test_alerts_are_raised_for_what_they_are_for_and_for_nothing_else() -> None:
    cases = Path(__file__).with_name("alerts_test.yaml")
    promtool("test", "rules", str(cases))
    text = cases.read_text(encoding="utf-8")
    for rule in rules():
        assert f"alertname: {rule['alert']}}}" in text, "no case says when it is silent"
        assert f'alertname="{rule["alert"]}"' in text, "no case says when it is raised"


@needs_promtool
def test_prometheus_finds_the_figures_well_named() -> None:
    assert promtool("check", "metrics", text=exposition()) == ""
