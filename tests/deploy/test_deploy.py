"""What stands in deploy/, as far as it can be tried without containers: what the files name is there, the server takes
what they give it, and the unit is one that systemd takes. With --long the steps of the Dockerfile, in an environment of
their own. Images are not built here."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml  # type: ignore[import-untyped]  # comes with schemathesis

from signaling import config
from tests.signaling.servers import serving

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
# What whoever deploys it fills in.
FILLED_IN = {
    "PUBLIC_ADDRESS": "192.0.2.1",
    "SFU_KEYS": "backend:" + "s" * 32,
    "TURN_SECRET": "t" * 32,
    "SFU_TLS_CERT": "",
    "SFU_TLS_KEY": "",
}
MOST_EXPOSED = 2.5  # of 10, as systemd judges a unit; a web server without any hardening has 9.2
STEPS_TIMEOUT_S = 1200.0  # compiling on a loaded machine


def instructions() -> list[tuple[str, str]]:
    """Of the Dockerfile, comments left out, continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE)
    found = [line.partition(" ") for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    return [(word, rest.strip()) for word, _, rest in found]


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return found


def filled_in(text: str) -> str:
    """As compose does: ${NAME}, ${NAME:-default}, ${NAME:?complaint}."""
    return re.sub(r"\$\{(\w+)(?::[-?][^}]*)?\}", lambda found: FILLED_IN[found[1]], text)


def settings(environment: dict[str, str]) -> config.ServerConfig:
    """Raises ConfigError for what the server would not start with."""
    return config.load({}, environment)


def test_the_dockerfile_names_what_is_there() -> None:
    known = {"FROM", "RUN", "WORKDIR", "COPY", "USER", "ENV", "VOLUME", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT"}
    assert {word for word, _ in instructions()} <= known
    stages = [rest.split(" AS ")[1] for word, rest in instructions() if word == "FROM" and " AS " in rest]
    for rest in (rest for word, rest in instructions() if word == "COPY"):
        origin = re.search(r"--from=(\S+)", rest)
        if origin is not None:
            assert origin[1] in stages
        else:
            assert (ROOT / rest.split()[0]).exists()


def test_the_image_serves_on_the_ports_that_it_exposes_and_looks_after_itself() -> None:
    words = dict(instructions())
    environment = dict(part.split("=", 1) for part in shlex.split(words["ENV"]))
    served = settings({**environment, "SFU_KEYS": FILLED_IN["SFU_KEYS"]})
    assert words["EXPOSE"].split() == [f"{served.http_port}/tcp", f"{served.udp_port}/udp"]
    assert served.http_host == "0.0.0.0" and str(served.store).startswith(words["VOLUME"])
    assert f":{served.http_port}/healthz" in words["HEALTHCHECK"]
    assert words["ENTRYPOINT"] == '["sfu", "serve"]'


def test_compose_mounts_builds_and_passes_what_there_is() -> None:
    services = compose()["services"]
    build = services["sfu"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).exists()
    for service in services.values():
        for mount in service.get("volumes", ()):
            source = mount.split(":")[0]
            assert (DEPLOY / source).exists() if source.startswith(".") else source in compose()["volumes"]
        filled_in(str(service.get("command", "")))  # names nothing else
    environment = {name: filled_in(value) for name, value in services["sfu"]["environment"].items()}
    served = settings({name: value for name, value in environment.items() if value})
    assert served.drain_timeout == 600.0 and services["sfu"]["stop_grace_period"] == "11m"
    example = dict(re.findall(r"^(\w+)=(.*)$", (DEPLOY / "example.env").read_text(), re.MULTILINE))
    required = set(re.findall(r"\$\{(\w+):\?", (DEPLOY / "compose.yaml").read_text()))
    assert required <= example.keys()


def test_what_is_left_empty_in_compose_is_not_set() -> None:
    environment = {name: filled_in(value) for name, value in compose()["services"]["sfu"]["environment"].items()}
    assert settings(environment).tls_cert is None


def test_prometheus_scrapes_where_the_server_is() -> None:
    scraped = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yaml").read_text())
    (job,) = scraped["scrape_configs"]
    assert job["static_configs"] == [{"targets": [f"127.0.0.1:{config.ServerConfig().http_port}"]}]


def metrics_named() -> set[str]:
    """In alerts and panels."""
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())["groups"]
    asked = [rule["expr"] for group in rules for rule in group["rules"]]
    panels = json.loads((DEPLOY / "grafana" / "sfu.json").read_text())["panels"]
    asked += [target["expr"] for panel in panels for target in panel.get("targets", ())]
    return {name for expression in asked for name in re.findall(r"\bsfu_\w+", expression)}


async def test_every_metric_that_is_looked_at_is_there(tmp_path: Path) -> None:
    """Of a server with storage, though nothing has been recorded, and with Workers of their own."""
    async with (
        serving(recordings=tmp_path, recordings_upload="s3://calls/", workers=1) as server,
        aiohttp.ClientSession() as http,
        http.get(f"{server.url}/metrics") as response,
    ):
        told = await response.text()
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", told, re.MULTILINE))
    there = {name for name, kind in kinds.items() if kind != "histogram"}
    there |= {f"{name}_{part}" for name, kind in kinds.items() if kind == "histogram" for part in ("bucket", "count")}
    named = metrics_named()
    assert {"sfu_recording_uploads_pending", "sfu_recording_upload_oldest_seconds"} <= named
    assert named <= there, named - there


def test_panels_are_told_apart_and_lie_beside_each_other() -> None:
    panels = json.loads((DEPLOY / "grafana" / "sfu.json").read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in panels):
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken and place["x"] + place["w"] <= 24
        taken |= cells


@pytest.mark.promtool
def test_alerts_come_when_they_should_and_not_before() -> None:
    for words in (
        ["check", "config", str(DEPLOY / "prometheus" / "prometheus.yaml")],
        ["test", "rules", str(Path(__file__).with_name("alerts_test.yaml"))],
    ):
        judged = subprocess.run(["promtool", *words], capture_output=True, text=True)
        assert judged.returncode == 0 and "SUCCESS" in judged.stdout + judged.stderr, judged.stdout + judged.stderr


@pytest.mark.systemd
def test_systemd_takes_the_unit_and_finds_it_hardened(tmp_path: Path) -> None:
    unit = tmp_path / "sfu.service"
    text = (DEPLOY / "sfu.service").read_text()
    (command,) = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
    assert command.split()[1:] == ["serve", "--config", "/etc/sfu/sfu.toml"]
    unit.write_text(text.replace(command.split()[0], str(Path(sys.executable).with_name("sfu"))))
    verified = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True)
    complaints = [line for line in verified.stderr.splitlines() if "sfu.service" in line]
    assert verified.returncode == 0 and not complaints, verified.stderr
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--no-pager", str(unit)], capture_output=True, text=True
    )
    level = re.search(r"Overall exposure level for sfu.service: ([\d.]+)", judged.stdout)
    assert level is not None and float(level[1]) <= MOST_EXPOSED, judged.stdout + judged.stderr
    grace_s = re.search(r"SFU_DRAIN_TIMEOUT=(\d+)m", text), re.search(r"TimeoutStopSec=(\d+)min", text)
    assert grace_s[0] and grace_s[1] and int(grace_s[0][1]) < int(grace_s[1][1])


@pytest.mark.long
def test_the_steps_of_the_dockerfile(tmp_path: Path) -> None:
    """Its `RUN` lines of Python, in a folder that has what `COPY . .` would bring from a checkout."""
    archive = subprocess.run(["git", "-C", str(ROOT), "archive", "HEAD"], capture_output=True, check=True)
    subprocess.run(["tar", "x", "-C", str(tmp_path)], input=archive.stdout, check=True)
    (steps,) = [rest for word, rest in instructions() if word == "RUN" and "pip install" in rest]
    steps = steps.replace("/opt/sfu", str(tmp_path / "opt")).replace("python -m venv", f"{sys.executable} -m venv")
    ended = subprocess.run(steps, shell=True, cwd=tmp_path, capture_output=True, text=True, timeout=STEPS_TIMEOUT_S)
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-2000:]
