"""The dashboards, one module each."""

from monitoring.boards.mesh import MESH
from monitoring.boards.models import MODELS
from monitoring.boards.production import PRODUCTION
from monitoring.boards.storage import STORAGE
from monitoring.panels import Board

__all__ = ["BOARDS"]

BOARDS: tuple[Board, ...] = (PRODUCTION, MODELS, MESH, STORAGE)
