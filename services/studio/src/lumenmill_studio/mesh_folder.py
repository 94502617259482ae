"""Find the meshes of the operator that can be used: one that cannot be is reported and keeps none from being served."""

from pathlib import Path

from lumenmill.common.v1.artifact_pb2 import MeshFacts
from lumenmill_common.telemetry import get_logger
from lumenmill_studio.mesh_files import MESH_SUFFIXES, read_mesh

__all__ = ["usable_meshes"]

# Formats of other programs that operators put beside those that are read.
_UNREAD_SUFFIXES = (
    *(".gltf", ".fbx", ".stl", ".dae", ".3ds", ".3mf", ".blend", ".abc", ".off", ".x3d", ".wrl", ".drc"),
    *(".usd", ".usda", ".usdc", ".usdz", ".ma", ".mb", ".max", ".c4d", ".lwo", ".step", ".stp", ".iges", ".igs"),
)
_log = get_logger(__name__)


def usable_meshes(folder: Path) -> dict[str, tuple[Path, MeshFacts]]:
    """Return the meshes of a folder by the names that requests use; files that cannot be used are logged with why."""
    usable = dict[str, tuple[Path, MeshFacts]]()
    num_skipped = 0
    for path in _mesh_files(folder):
        try:
            facts = _facts(path)
        except (ValueError, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            _log.warning("mesh is skipped", file=_shown(path), reason=reason)
            num_skipped += 1
            continue
        name = path.stem.lower().replace("_", " ")
        if name in usable:
            _log.warning("mesh is skipped", file=_shown(usable[name][0]), reason=f"{_shown(path)} has the same name")
            num_skipped += 1
        usable[name] = path, facts
    if num_skipped:
        _log.warning("meshes are skipped", folder=str(folder), num_skipped=num_skipped, num_served=len(usable))
    return usable


def _mesh_files(folder: Path) -> list[Path]:
    suffixes = (*MESH_SUFFIXES, *_UNREAD_SUFFIXES)
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in suffixes) if folder.is_dir() else []


def _facts(path: Path) -> MeshFacts:
    """Return the facts of a mesh that can be used.

    Raises:
        ValueError: it cannot be used; the text says why.
        OSError: it cannot be opened.
    """
    suffix = path.suffix.lower()
    if suffix not in MESH_SUFFIXES:
        raise ValueError(f"{suffix} is not read; convert it to {', '.join(MESH_SUFFIXES[:-1])} or {MESH_SUFFIXES[-1]}")
    if path.name != _shown(path):
        raise ValueError("has a name that is not UTF-8")
    mesh = read_mesh(path)
    return MeshFacts(num_vertices=len(mesh.vertices_v3), num_faces=len(mesh.faces_f3))


def _shown(path: Path) -> str:
    """Return the name of a file as text, whatever bytes it has."""
    return path.name.encode("utf-8", "backslashreplace").decode()
