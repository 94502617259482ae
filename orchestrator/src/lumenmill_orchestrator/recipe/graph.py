"""Order and cycles of a graph of steps, and the graph in Graphviz and Mermaid."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from lumenmill_orchestrator.recipe.model import Recipe, Step

__all__ = ["find_cycle", "graph_dot", "graph_mermaid", "ordered"]


def ordered(names: Sequence[str], depends_on: Mapping[str, Iterable[str]]) -> list[str]:
    """Return the names in an order in which each comes after those that it depends on, otherwise as written.

    Raises:
        ValueError: the graph has a cycle; `find_cycle` returns it.
    """
    if find_cycle(depends_on):
        raise ValueError("the graph has a cycle")
    done: dict[str, None] = {}

    def visit(name: str) -> None:
        if name in done:
            return
        for other in depends_on[name]:
            visit(other)
        done[name] = None

    for name in names:
        visit(name)
    return list(done)


def find_cycle(depends_on: Mapping[str, Iterable[str]]) -> list[str]:
    """Return the names of one cycle, in order; empty when there is none."""
    try:
        TopologicalSorter({name: list(others) for name, others in depends_on.items()}).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def graph_dot(recipe: Recipe) -> str:
    """Return the graph of a recipe in Graphviz DOT."""
    lines = ["digraph recipe {", "  rankdir=LR;", '  node [shape=box, style=rounded, fontname="Helvetica"];']
    for pipeline in recipe.pipelines:
        lines += [
            f"  subgraph cluster_{pipeline.name} {{",
            f'    label="{pipeline.name} × {pipeline.source.num_items}";',
        ]
        prefix = pipeline.name
        lines.append(f'    {prefix}__source [label="{_source_label(pipeline.source.call)}", shape=cylinder];')
        for step in pipeline.steps:
            style = ', style="rounded,dashed"' if step.optional else ""
            lines.append(f'    {prefix}__{step.name} [label="{_label(step, chr(92) + "n")}"{style}];')
        for sample in pipeline.samples:
            lines.append(f'    {prefix}__sample_{sample.name} [label="{sample.name}", shape=note];')
        lines += [f"    {edge}" for edge in _edges(recipe, prefix, lambda a, b: f"{a} -> {b};")]
        lines.append("  }")
    return "\n".join([*lines, "}"]) + "\n"


def graph_mermaid(recipe: Recipe) -> str:
    """Return the graph of a recipe in Mermaid."""
    lines = ["flowchart LR"]
    for pipeline in recipe.pipelines:
        prefix = pipeline.name
        lines.append(f'  subgraph {prefix}["{prefix} × {pipeline.source.num_items}"]')
        lines.append(f'    {prefix}__source[("{_source_label(pipeline.source.call)}")]')
        lines += [f'    {prefix}__{step.name}("{_label(step, "<br/>")}")' for step in pipeline.steps]
        lines += [f'    {prefix}__sample_{sample.name}[/"{sample.name}"/]' for sample in pipeline.samples]
        lines += [f"    {edge}" for edge in _edges(recipe, prefix, lambda a, b: f"{a} --> {b}")]
        lines.append("  end")
    return "\n".join(lines) + "\n"


def _label(step: Step, newline: str) -> str:
    each = f"{newline}for each {step.fan_out.elements.text}" if step.fan_out is not None else ""
    return f"{step.name}{newline}{step.method.call} on {step.model_name}{each}"


def _source_label(call: Step | None) -> str:
    return f"{call.method.call} on {call.model_name}" if call is not None else "given items"


def _edges(recipe: Recipe, pipeline_name: str, edge: Callable[[str, str], str]) -> list[str]:
    pipeline = next(pipeline for pipeline in recipe.pipelines if pipeline.name == pipeline_name)
    edges: list[str] = []
    for step in pipeline.steps:
        before = step.depends_on() or ["source"]
        edges += [edge(f"{pipeline_name}__{name}", f"{pipeline_name}__{step.name}") for name in before]
    for sample in pipeline.samples:
        sink = f"{pipeline_name}__sample_{sample.name}"
        edges += [edge(f"{pipeline_name}__{name}", sink) for name in sample.depends_on()]
    return edges
