"""Recipes: parsed, checked against the contracts and the models, planned and drawn."""

from lumenmill_orchestrator.recipe.compiler import check_recipe
from lumenmill_orchestrator.recipe.conditions import Condition
from lumenmill_orchestrator.recipe.context import KnownModel
from lumenmill_orchestrator.recipe.gates import Gate
from lumenmill_orchestrator.recipe.model import (
    CheckedRecipe,
    FanOut,
    Pipeline,
    PlannedCall,
    Recipe,
    SampleRule,
    Source,
    Step,
)
from lumenmill_orchestrator.recipe.parameters import plain_parameters
from lumenmill_orchestrator.recipe.plan import recipe_plan
from lumenmill_orchestrator.recipe.references import MISSING, Reference, Requirement, Scope
from lumenmill_orchestrator.recipe.requests import MessageBuilder
from lumenmill_orchestrator.recipe.work_limit import WorkLimit

__all__ = [
    "MISSING",
    "CheckedRecipe",
    "Condition",
    "FanOut",
    "Gate",
    "KnownModel",
    "MessageBuilder",
    "Pipeline",
    "PlannedCall",
    "Recipe",
    "Reference",
    "Requirement",
    "SampleRule",
    "Scope",
    "Source",
    "Step",
    "WorkLimit",
    "check_recipe",
    "plain_parameters",
    "recipe_plan",
]
