"""The README is true: its settings table is the settings, its commands exist, its links lead somewhere.

``UPDATE_README=1 pytest tests/architecture/test_readme.py`` writes the table anew.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from pydantic import BaseModel
from typer.testing import CliRunner

from vaultbridge.cli import app
from vaultbridge.settings import Settings

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
OPEN = "<!-- settings: written by tests/architecture/test_readme.py from vaultbridge/settings.py -->\n"
CLOSE = "<!-- /settings -->"
FOLDERS = {"data": "user data folder", "models.folder": "`models` in the user data folder", "vault": ""}


def rows(model: type[BaseModel], prefix: str = "") -> list[str]:
    found: list[str] = []
    for name, field in model.model_fields.items():
        key = prefix + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found += rows(field.annotation, f"{key}.")
            continue
        default = FOLDERS[key] if key in FOLDERS else f"`{field.get_default(call_default_factory=True)}`"
        found.append(f"| `{key}` | {default if default != '``' else ''} | {field.description} |")
    return found


def test_the_settings_table_is_the_settings() -> None:
    table = "\n".join(["| key | default | meaning |", "|---|---|---|", *rows(Settings)]) + "\n"
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(OPEN)
    written, _, after = rest.partition(CLOSE)
    if os.environ.get("UPDATE_README"):
        README.write_text(before + OPEN + table + CLOSE + after, encoding="utf-8")
        written = table
    assert written == table


def test_every_command_that_the_readme_names_exists() -> None:
    named = set(re.findall(r"`?vaultbridge ([a-z]+)", README.read_text(encoding="utf-8"))) - {"models"}
    listed = CliRunner().invoke(app, ["--help"]).output
    assert named
    assert [command for command in named if f"  {command}" not in listed] == []


def test_every_local_link_leads_to_a_file() -> None:
    pages = [README, *(ROOT / "docs").glob("*.md")]
    broken = [
        (page.name, target)
        for page in pages
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert broken == []
