"""The import rules hold, and each of them was seen to fail on a deliberate violation."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LINT = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()", "--no-cache"]

VIOLATIONS = {
    "Arrows point down": ("survey/store/people.py", "from survey.services import cycles"),
    "Every module has a place": ("survey/utils.py", ""),
    "The core is pure": ("survey/core/cycles.py", "import flask"),
    "Services and store know no framework but SQLAlchemy": ("survey/services/cycles.py", "import celery"),
    "Only the app reads the settings": ("survey/web/cycles.py", "import config"),
    "Delivery sees values, never rows": ("survey/delivery/mail.py", "from survey.store import people"),
    "Only two services may touch answers": ("survey/services/reports.py", "from survey.store import envelopes"),
    "Whoever writes reports cannot name a rater": ("survey/services/tally.py", "from survey.store import invitations"),
    "Services do not call each other": ("survey/services/people.py", "from survey.services import cycles"),
    "Pages do not call each other": ("survey/web/people.py", "from survey.web import cycles"),
    "No cycles": ("survey/core/errors.py", "from survey.core import disclosure"),
}


def test_every_contract_is_kept():
    result = subprocess.run(LINT, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
    assert f"Contracts: {len(VIOLATIONS)} kept, 0 broken." in result.stdout


@pytest.mark.parametrize("contract", VIOLATIONS)
def test_a_deliberate_violation_breaks_its_contract(contract, tmp_path):
    for name in ("survey", "tasks"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("config.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    path, line = VIOLATIONS[contract]
    module = tmp_path / path
    text = module.read_text() if module.exists() else '"""A module without a place."""\n'
    # After the future import, where imports stand.
    head, future, rest = text.partition("from __future__ import annotations\n")
    module.write_text(head + future + f"\n{line}\n" + rest)
    result = subprocess.run(LINT, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 1, result.stdout
    assert f"{contract} BROKEN" in result.stdout, result.stdout


def test_every_brace_of_the_stylesheet_is_closed():
    """A browser takes the rest of a sheet for part of the block that was left open, and says nothing."""
    depth = 0
    for number, line in enumerate((ROOT / "survey/static/css/survey.css").read_text().splitlines(), 1):
        depth += line.count("{") - line.count("}")
        assert depth >= 0, f"line {number} closes what was never opened"
        assert depth == 0 or not line.startswith("/*"), f"line {number} begins a part inside a block"
    assert depth == 0
