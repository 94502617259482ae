"""The models of the relighter, without importing the libraries that run them."""

from lumenmill_neural.catalogue import read_catalogue
from lumenmill_neural.settings import NeuralSettings
from lumenmill_neural.weights import ServiceModels

__all__ = ["MODELS"]

MODELS = ServiceModels(NeuralSettings, lambda settings: read_catalogue("lumenmill_relighter"))
