"""Datasets from samples. A form is one file here and one entry in `FORMS`."""

from lumenmill_orchestrator.exporters.registry import FORMS, Export, Exporters
from lumenmill_orchestrator.exporters.seam import Destination, Exporter, Form, PlacedSample

__all__ = ["FORMS", "Destination", "Export", "Exporter", "Exporters", "Form", "PlacedSample"]
