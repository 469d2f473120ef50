"""What lies in deploy/ is right, as far as that can be told without a container engine."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from registry.cli import main
from registry.config import SECTIONS, load
from tests.deploy.site import DEPLOY, ROOT

_VARIABLE = re.compile(r"\$\{(\w+):\?")


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return found


def test_the_settings_file_is_understood():
    config = load(DEPLOY / "packyard.toml", {})

    assert config.storage.data == "/var/lib/packyard"


def test_the_compose_file_sets_what_exists_and_asks_for_what_the_example_names():
    document = compose()
    example = {
        line.partition("=")[0]
        for line in (DEPLOY / "example.env").read_text().splitlines()
        if line and not line.startswith("#")
    }

    asked = set(_VARIABLE.findall((DEPLOY / "compose.yaml").read_text()))
    environ = document["services"]["packyard-1"]["environment"]

    assert asked == example
    assert document["services"]["packyard-2"]["environment"] == environ
    filled = {name: _VARIABLE.sub("", str(value)).replace("set it in .env}", "x") for name, value in environ.items()}
    settings = {name: value for name, value in filled.items() if name.split("_")[1].lower() in SECTIONS}
    config = load(DEPLOY / "packyard.toml", {k: v for k, v in settings.items() if k.startswith("PACKYARD_")})
    assert config.storage.blobs == "s3://packyard/files"
    assert config.storage.database.startswith("postgresql://")


def test_the_compose_file_is_complete_in_itself():
    document = compose()
    services = document["services"]

    for name, service in services.items():
        assert set(service.get("depends_on", {})) <= set(services), name
        assert set(service["networks"]) <= set(document["networks"]), name
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert source in document["volumes"] or (DEPLOY / source).exists(), volume
    for name, how in [(n, h) for s in services.values() for n, h in s.get("depends_on", {}).items()]:
        assert how["condition"] != "service_healthy" or "healthcheck" in services[name] or "build" in services[name]
    subnet = document["networks"]["packyard"]["ipam"]["config"][0]["subnet"]
    assert subnet in load(DEPLOY / "packyard.toml", {}).server.trusted_proxies
    proxied = (DEPLOY / "nginx" / "packyard.conf").read_text()
    assert {"packyard-1", "packyard-2"} <= set(re.findall(r"server (packyard-\d):8080", proxied))


def test_the_container_starts_a_command_that_exists(capsys: pytest.CaptureFixture[str]):
    text = (DEPLOY / "Dockerfile").read_text()
    arguments = re.search(r"^CMD (\[.*\])$", text, re.MULTILINE)
    assert arguments is not None
    command, *options = yaml.safe_load(arguments[1])

    with pytest.raises(SystemExit):
        main([command, "--help"])

    shown = capsys.readouterr().out
    assert all(option in shown for option in options if option.startswith("--"))
    for source in re.findall(r"^COPY ([a-z].*) \S+$", text, re.MULTILINE):
        assert all((ROOT / name).exists() for name in source.split()), source


def test_the_unit_is_understood_by_systemd(tmp_path: Path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    text = (DEPLOY / "packyard.service").read_text()
    assert "ExecStart=/opt/packyard/bin/packyard serve" in text
    unit = tmp_path / "packyard.service"
    unit.write_text(text.replace("/opt/packyard/bin/packyard", "/bin/true"))

    checked = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True)

    assert (checked.returncode, checked.stderr) == (0, "")
