"""The template variables at the top of every dashboard, and the label matchers that use them."""

from typing import Any

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models import dashboard as model

from monitoring.panels import DATASOURCE

__all__ = ["IN_NAMESPACE", "KUBE_NAMESPACE", "KUBE_POD", "OF_MODEL", "PRICE", "WINDOW", "template_variables"]

# Matchers of the mesh's own metrics: the selected namespaces, and the selected models in them.
IN_NAMESPACE = 'namespace=~"$namespace"'
OF_MODEL = f'{IN_NAMESPACE}, model=~"$model"'
# Matchers of the metrics of the cluster's exporters.
KUBE_NAMESPACE = 'namespace=~"$namespace"'
KUBE_POD = 'namespace=~"$namespace", pod=~".+"'

WINDOW, PRICE = "$window", "$price_per_gpu_hour"


def template_variables(*, has_models: bool = True, has_window: bool = False, has_price: bool = False) -> list[Any]:
    """Return the variables of a dashboard."""
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
            .description("Window over which rates and costs are averaged. Long clips need an hour or more.")
            .values("5m,15m,30m,1h,3h,6h,1d")
            .current(model.VariableOption(selected=True, text="1h", value="1h"))
        )
    if has_price:
        variables.append(
            dashboard.TextBoxVariable("price_per_gpu_hour")
            .label("Price of a GPU hour")
            .description("Price of an hour of one GPU, in your currency.")
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
        .multi(True)  # noqa: FBT003 - the builder's signature
        .include_all(True)  # noqa: FBT003
        .all_value(".*")
        .current(model.VariableOption(selected=True, text="All", value="$__all"))
    )
