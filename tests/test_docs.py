"""Every setting, command and operation is documented, and nothing that does not exist."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

import protocols
from registry.cli import main
from registry.config import SECTIONS, TABLES
from registry.control.call import TABLE
from registry.control.model import load

DOCS = Path(__file__).resolve().parents[1] / "docs"
OPERATIONS = (DOCS / "operations" / "README.md").read_text()


def test_every_setting_is_documented_and_no_other() -> None:
    documented = set(re.findall(r"^\| `(\w+\.\w+)` \|", OPERATIONS, re.MULTILINE))

    assert documented == {f"{section}.{each.name}" for section, cls in SECTIONS.items() for each in fields(cls)}
    assert all(f"[{table}]" in OPERATIONS or f"[[{table}]]" in OPERATIONS for table in TABLES)


def test_every_command_is_documented_and_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    documented = set(re.findall(r"^\| `packyard (\w+)", OPERATIONS, re.MULTILINE))
    with pytest.raises(SystemExit):
        main(["--help"])

    assert documented == set(re.findall(r"^    (\w+) ", capsys.readouterr().out, re.MULTILINE))


def test_every_operation_of_the_model_is_documented() -> None:
    text = (DOCS / "guide" / "operations.md").read_text()

    assert set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) == set(TABLE) == set(load().operations)


@pytest.mark.parametrize("name", [adapter.info.name for adapter in protocols.FORMATS])
def test_every_format_has_a_page(name: str) -> None:
    assert (DOCS / "formats" / f"{name}.md").read_text().startswith("# ")


def test_links_between_documents_lead_somewhere() -> None:
    pages = [*DOCS.rglob("*.md"), DOCS.parent / "README.md"]
    broken = [
        f"{page.relative_to(DOCS.parent)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
        if not (page.parent / target).exists()
    ]

    assert not broken
