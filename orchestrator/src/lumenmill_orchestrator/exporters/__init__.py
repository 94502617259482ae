"""Datasets from samples. A form is one file here and one entry in `FORMS`."""

from lumenmill_orchestrator.exporters.registry import FORMS, Exporters
from lumenmill_orchestrator.exporters.seam import Destination, Exporter, Form, PlacedSample

__all__ = ["FORMS", "Destination", "Exporter", "Exporters", "Form", "PlacedSample"]
