"""Plans of recipes without a mesh, by the recipe compiler of the extra `mesh`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lumenmill.orchestrator.v1.run_pb2 import PlanRecipeResponse
from lumenmill_client._text_files import read_text
from lumenmill_common.errors import FailedPreconditionError

__all__ = ["plan_without_mesh"]


def plan_without_mesh(recipe: Path, parameters: Mapping[str, Any]) -> PlanRecipeResponse:
    """Return the plan of a recipe, whose models and presets are not checked and whose calls have no durations.

    Raises:
        FailedPreconditionError: the recipe compiler is not installed.
    """
    try:
        from lumenmill_orchestrator.recipe import check_recipe, recipe_plan  # noqa: PLC0415 - of an extra
    except ModuleNotFoundError as error:
        missing = f"the recipe compiler is not installed ({error.name} is missing)"
        remedy = "install lumenmill-client[mesh], or name a mesh with --address"
        raise FailedPreconditionError(f"no mesh is running, and {missing}; {remedy}") from None
    checked = check_recipe(read_text(recipe, "recipe"), str(recipe), parameters, None)
    return recipe_plan(checked, lambda _: None, {})
