"""What can be chosen at the head of every dashboard, and the label matchers that heed it."""

from typing import Any

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models import dashboard as model

from monitoring.panels import DATASOURCE

__all__ = ["EVERY_NAMESPACE", "EVERY_POD", "PRICE", "THERE", "THESE", "WINDOW", "chosen"]

# Matchers: everything of the chosen namespaces, and of those the chosen models.
THERE = 'namespace=~"$namespace"'
THESE = f'{THERE}, model=~"$model"'
# As exporters of the cluster call them.
EVERY_NAMESPACE = 'namespace=~"$namespace"'
EVERY_POD = 'namespace=~"$namespace", pod=~".+"'

WINDOW, PRICE = "$window", "$price_per_gpu_hour"


def chosen(*, has_models: bool = True, has_window: bool = False, has_price: bool = False) -> list[Any]:
    """The variables of a dashboard."""
    variables: list[Any] = [
        dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"),
        _of_label("namespace", "Namespace", "label_values(lumenmill_orchestrator_runs, namespace)"),
    ]
    if has_models:
        query = 'label_values(lumenmill_model_load_duration_seconds{namespace=~"$namespace"}, model)'
        variables.append(_of_label("model", "Model", query))
    if has_window:
        variables.append(
            dashboard.IntervalVariable("window")
            .label("Averaged over")
            .description("Over how long rates and costs are averaged. Long clips need an hour or more.")
            .values("5m,15m,30m,1h,3h,6h,1d")
            .current(model.VariableOption(selected=True, text="1h", value="1h"))
        )
    if has_price:
        variables.append(
            dashboard.TextBoxVariable("price_per_gpu_hour")
            .label("Price of a GPU hour")
            .description("What an hour of one GPU costs, in your currency.")
            .default_value("2.5")
            .current(model.VariableOption(selected=True, text="2.5", value="2.5"))
        )
    return variables


def _of_label(name: str, label: str, query: str) -> Any:
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .query(query)
        .datasource(DATASOURCE)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
        .multi(True)  # noqa: FBT003 - the builder's form
        .include_all(True)  # noqa: FBT003
        .all_value(".*")
        .current(model.VariableOption(selected=True, text="All", value="$__all"))
    )
