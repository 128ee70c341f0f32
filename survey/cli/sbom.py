"""The bill of materials: what requirements.lock installs, as CycloneDX 1.6 JSON. Run by `make sbom`.

Needs the standard library alone. The same lock file makes the same bytes, apart from licences: those are known of
packages that are installed here.
"""

from __future__ import annotations

import json
import re
import sys
import uuid
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

PINNED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)(?:\s*;\s*(?P<marker>[^\\]*\S))?\s*\\?$")
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
VIA = re.compile(r"^\s+#(?: via)?(?:\s+(\S+))?")
PROGRAM = "seek-feedback"


@dataclass
class Pinned:
    """A package of the lock file: its hashes, when it is installed, and which packages want it."""

    name: str
    version: str
    marker: str = ""
    hashes: list[str] = field(default_factory=list)
    wanted_by: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        """The package URL, by which other tools know it."""
        return f"pkg:pypi/{self.name}@{self.version}"


def read(lock: str) -> list[Pinned]:
    """The packages of a lock file as uv writes it. Raises ValueError for a requirement that is not pinned by hash."""
    found: list[Pinned] = []
    for line in lock.splitlines():
        if (pinned := PINNED.match(line)) is not None:
            found.append(Pinned(pinned["name"], pinned["version"], pinned["marker"] or ""))
        elif line and not line.startswith(("#", " ")):
            raise ValueError(f"This line of the lock file is no pinned package: {line}")
        elif found and (digest := HASH.search(line)) is not None:
            found[-1].hashes.append(digest[1])
        elif found and (via := VIA.match(line)) is not None and via[1]:
            found[-1].wanted_by.append(via[1])
    if without := [each.name for each in found if not each.hashes]:
        raise ValueError(f"The lock file has no hash for {', '.join(without)}.")
    return found


def document(packages: list[Pinned], *, version: str) -> dict[str, Any]:
    """The bill of materials of these packages."""
    program = f"pkg:pypi/{PROGRAM}@{version}"
    wants: dict[str, list[str]] = {address: [] for address in (program, *(each.address for each in packages))}
    addresses = {each.name: each.address for each in packages} | {PROGRAM: program}
    for each in packages:
        for name in each.wanted_by:
            if name in addresses:
                wants[addresses[name]].append(each.address)
    content = "".join(f"{each.address}{each.hashes}" for each in packages) + version
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, content)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": program,
                "name": PROGRAM,
                "version": version,
                "purl": program,
            }
        },
        "components": [_component(each) for each in packages],
        "dependencies": [{"ref": address, "dependsOn": sorted(needed)} for address, needed in wants.items()],
    }


def _component(package: Pinned) -> dict[str, Any]:
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": package.address,
        "name": package.name,
        "version": package.version,
        "purl": package.address,
        "hashes": [{"alg": "SHA-256", "content": digest} for digest in package.hashes],
    }
    if licence := _licence(package):
        component["licenses"] = [licence]
    if package.marker:
        component["properties"] = [{"name": "python:marker", "value": package.marker}]
    return component


def _licence(package: Pinned) -> dict[str, Any] | None:
    """What the installed package says of its licence, if it is this version that is installed."""
    try:
        said = metadata.metadata(package.name)
    except metadata.PackageNotFoundError:
        return None
    if said["Version"] != package.version:
        return None
    if "License-Expression" in said:
        return {"expression": said["License-Expression"]}
    classifiers = said.get_all("Classifier") or []
    endings = [each.rpartition(" :: ")[2] for each in classifiers if each.startswith("License :: ")]
    named = [each for each in endings if each != "OSI Approved"]
    return {"license": {"name": named[0]}} if named else None


def main(lock: str) -> None:
    """Prints the bill of materials of the lock file."""
    found = document(read(Path(lock).read_text(encoding="utf-8")), version=metadata.version(PROGRAM))
    print(json.dumps(found, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main(sys.argv[1])
