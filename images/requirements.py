"""What each image needs: our own wheels, and requirements from elsewhere, read from the distributions' pyproject.toml.

For every image it writes NAME.txt (requirements of others, pinned by constraints.txt when they are installed), NAME.own
(our wheels), NAME.packages (of Debian) and NAME.module (what the image runs).
"""

import argparse
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent

# Image → the distributions that it is made of. The orchestrator's holds the command too, for jobs beside it.
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
# Debian's packages that wheels expect on the system.
PACKAGES = {"studio": ["libatomic1"]}
_NAME = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(?:\[(?P<extras>[^\]]*)\])?")


def projects() -> dict[str, dict[str, object]]:
    """Our distributions by name: the `project` table of each."""
    files = [*ROOT.glob("*/pyproject.toml"), *ROOT.glob("services/*/pyproject.toml")]
    tables = [tomllib.loads(file.read_text())["project"] for file in files]
    return {table["name"]: table for table in tables}


def needed(wanted: list[str], known: dict[str, dict[str, object]]) -> tuple[set[str], set[str]]:
    """Names of our own distributions, and requirements of others, that the wanted ones need in the end."""
    own: set[str] = set()
    others: set[str] = set()
    seen: set[str] = set()
    pending = list(wanted)
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
    for image, wanted in IMAGES.items():
        own, others = needed(wanted, known)
        wheels = sorted(f"/wheels/{name.replace('-', '_')}-{known[name]['version']}-py3-none-any.whl" for name in own)
        (folder / f"{image}.txt").write_text("\n".join([*sorted(others), ""]))
        (folder / f"{image}.own").write_text("\n".join([*wheels, ""]))
        (folder / f"{image}.packages").write_text(" ".join(PACKAGES.get(image, [])))
        (folder / f"{image}.module").write_text(f"lumenmill_{image.removesuffix('-neural')}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all-to", type=Path, required=True, help="folder to write to")
    write_all(parser.parse_args().all_to)
