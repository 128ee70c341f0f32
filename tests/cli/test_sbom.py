"""The bill of materials names every package of the lock file, with its hashes and who wants it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from survey.cli import sbom

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements.lock"


def test_every_pinned_package_is_in_it_with_all_its_hashes():
    text = LOCK.read_text(encoding="utf-8")
    pinned = dict(re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.MULTILINE))
    made = document()
    assert {each["name"]: each["version"] for each in made["components"]} == pinned
    assert sum(len(each["hashes"]) for each in made["components"]) == text.count("--hash=sha256:")
    assert (made["bomFormat"], made["specVersion"], made["version"]) == ("CycloneDX", "1.6", 1)
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", made["serialNumber"])


def test_what_wants_what_is_told_and_every_reference_exists():
    made = document()
    refs = {each["bom-ref"] for each in made["components"]} | {made["metadata"]["component"]["bom-ref"]}
    wants = {each["ref"]: each["dependsOn"] for each in made["dependencies"]}
    assert set(wants) == refs
    assert {needed for all_ in wants.values() for needed in all_} <= refs
    assert any(needed.startswith("pkg:pypi/flask@") for needed in wants[made["metadata"]["component"]["bom-ref"]])
    (flask,) = (ref for ref in refs if ref.startswith("pkg:pypi/flask@"))
    assert any(needed.startswith("pkg:pypi/werkzeug@") for needed in wants[flask])


def test_the_same_lock_file_makes_the_same_bytes():
    assert document() == document()


@pytest.mark.parametrize("line", ["flask>=3", "-e .", "flask==3.1.0"])
def test_what_is_not_pinned_by_hash_is_refused(line):
    with pytest.raises(ValueError, match="lock file"):
        sbom.read(f"{line}\n")


def document():
    said = subprocess.run(
        [sys.executable, "-m", "survey.cli.sbom", str(LOCK)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return json.loads(said.stdout)
