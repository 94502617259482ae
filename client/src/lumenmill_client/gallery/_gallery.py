"""Writes the samples of a run as one HTML file."""

import json
from importlib import resources
from pathlib import Path
from typing import Any

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_client._client import Client
from lumenmill_client.gallery._content import content_of

__all__ = ["write_gallery"]

_SHOWN = (run_pb2.VERDICT_ACCEPTED, run_pb2.VERDICT_REJECTED)


def write_gallery(client: Client, run: run_pb2.Run, path: Path) -> None:
    """Write the accepted and rejected samples of a run as one HTML file that contains all images and clips.

    Raises:
        LumenmillError: the mesh or its store cannot be read.
    """
    samples = list(client.samples(run.id, verdicts=list(_SHOWN)))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_page(content_of(client, run, samples)))


def _page(content: dict[str, Any]) -> str:
    package = resources.files(__package__)
    page = package.joinpath("gallery.html").read_text()
    data = json.dumps(content, ensure_ascii=False).replace("<", "\\u003c")  # a caption cannot close the script element
    parts = {
        "/*STYLE*/": package.joinpath("gallery.css").read_text(),
        "/*SCRIPT*/": package.joinpath("gallery.js").read_text(),
        "/*DATA*/": data,
    }
    for placeholder, text in parts.items():
        page = page.replace(placeholder, text, 1)
    return page
