"""Datasets from samples. An export format is one module here and one entry in `EXPORT_FORMATS`."""

from lumenmill_orchestrator.exporters.interfaces import DatasetWriter, Destination, ExportedSample, ExportFormat
from lumenmill_orchestrator.exporters.registry import EXPORT_FORMATS, Export, InProcessExports

__all__ = [
    "EXPORT_FORMATS",
    "DatasetWriter",
    "Destination",
    "Export",
    "ExportFormat",
    "ExportedSample",
    "InProcessExports",
]
