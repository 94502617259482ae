"""The requirements of each image, read from pyproject.toml of the distributions.

For every image it writes NAME.txt (third-party requirements, pinned by constraints.txt at installation), NAME.own
(wheels of this repository), NAME.packages (Debian packages) and NAME.module (the module that the image runs).
"""

import argparse
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent

# The distributions of each image. The orchestrator's has the command too, for Jobs.
IMAGES = {
    "orchestrator": ["lumenmill-orchestrator", "lumenmill-client"],
    "prompter": ["lumenmill-prompter"],
    "captioner": ["lumenmill-captioner"],
    "captioner-neural": ["lumenmill-captioner[vision-language]"],
    "studio": ["lumenmill-studio"],
    "imager": ["lumenmill-imager"],
    "relighter": ["lumenmill-relighter"],
    "video": ["lumenmill-video"],
}
# Debian packages that wheels need.
PACKAGES = {"studio": ["libatomic1"]}
_NAME = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(?:\[(?P<extras>[^\]]*)\])?")


def projects() -> dict[str, dict[str, object]]:
    """Return the `project` tables of the distributions of this repository, by name."""
    files = [*ROOT.glob("*/pyproject.toml"), *ROOT.glob("services/*/pyproject.toml")]
    tables = [tomllib.loads(file.read_text())["project"] for file in files]
    return {table["name"]: table for table in tables}


def resolve(distributions: list[str], known: dict[str, dict[str, object]]) -> tuple[set[str], set[str]]:
    """Return the distributions of this repository and the third-party requirements that some distributions need."""
    own: set[str] = set()
    others: set[str] = set()
    seen: set[str] = set()
    pending = list(distributions)
    while pending:
        requirement = pending.pop()
        if requirement in seen:
            continue
        seen.add(requirement)
        match = _NAME.match(requirement)
        if match is None or match["name"] not in known:
            others.add(requirement)
            continue
        table = known[match["name"]]
        own.add(match["name"])
        pending += table.get("dependencies", [])
        for extra in filter(None, (match["extras"] or "").split(",")):
            pending += table["optional-dependencies"][extra.strip()]
    return own, others


def write_all(folder: Path) -> None:
    """Write the files of every image."""
    known = projects()
    folder.mkdir(parents=True, exist_ok=True)
    for image, distributions in IMAGES.items():
        own, others = resolve(distributions, known)
        wheels = sorted(f"/wheels/{name.replace('-', '_')}-{known[name]['version']}-py3-none-any.whl" for name in own)
        (folder / f"{image}.txt").write_text("\n".join([*sorted(others), ""]))
        (folder / f"{image}.own").write_text("\n".join([*wheels, ""]))
        (folder / f"{image}.packages").write_text(" ".join(PACKAGES.get(image, [])))
        (folder / f"{image}.module").write_text(f"lumenmill_{image.removesuffix('-neural')}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all-to", type=Path, required=True, help="folder to write to")
    write_all(parser.parse_args().all_to)
