"""Datasets from samples. An exporter is one file here and one entry in `EXPORTERS`."""

from lumenmill_orchestrator.exporters.registry import EXPORTERS, Exporters
from lumenmill_orchestrator.exporters.seam import DatasetFile, Exporter

__all__ = ["EXPORTERS", "DatasetFile", "Exporter", "Exporters"]
