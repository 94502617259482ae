"""The meshes of the operator that can be used."""

from pathlib import Path

from lumenmill.common.v1.artifact_pb2 import MeshFacts
from lumenmill_studio.mesh_files import MESH_SUFFIXES, read_mesh
from lumenmill_studio.operator_files import files_of, log_num_skipped, log_skipped, shown_name, usable_files

__all__ = ["usable_meshes"]

_KIND = "mesh"
# Formats of other programs that operators put beside those that are read.
_UNREAD_SUFFIXES = (
    *(".gltf", ".fbx", ".stl", ".dae", ".3ds", ".3mf", ".blend", ".abc", ".off", ".x3d", ".wrl", ".drc"),
    *(".usd", ".usda", ".usdc", ".usdz", ".ma", ".mb", ".max", ".c4d", ".lwo", ".step", ".stp", ".iges", ".igs"),
)


def usable_meshes(folder: Path) -> dict[str, tuple[Path, MeshFacts]]:
    """Return the meshes of a folder by the names that requests use; files that cannot be used are logged with why."""
    usable = dict[str, tuple[Path, MeshFacts]]()
    paths = files_of(folder, (*MESH_SUFFIXES, *_UNREAD_SUFFIXES))
    for path, facts in usable_files(paths, _facts, _KIND):
        name = path.stem.lower().replace("_", " ")
        if name in usable:
            log_skipped(usable[name][0], f"{shown_name(path)} has the same name", _KIND)
        usable[name] = path, facts
    log_num_skipped(folder, len(paths) - len(usable), len(usable), "meshes")
    return usable


def _facts(path: Path) -> MeshFacts:
    """Return the facts of a mesh that can be used.

    Raises:
        ValueError: it cannot be used; the text says why.
        OSError: it cannot be opened.
    """
    suffix = path.suffix.lower()
    if suffix not in MESH_SUFFIXES:
        raise ValueError(f"{suffix} is not read; convert it to {', '.join(MESH_SUFFIXES[:-1])} or {MESH_SUFFIXES[-1]}")
    mesh = read_mesh(path)
    return MeshFacts(num_vertices=len(mesh.vertices_v3), num_faces=len(mesh.faces_f3))
