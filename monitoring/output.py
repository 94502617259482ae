"""The files that the chart carries, as they must be now."""

import json

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from ruamel.yaml import YAML
from ruamel.yaml.compat import StringIO

from monitoring.alerts import rule_groups
from monitoring.boards import BOARDS
from monitoring.panels import built

__all__ = ["files"]

_MADE_BY = "# Made by `make monitoring` from monitoring/alerts.py; change that.\n"


def files() -> dict[str, str]:
    """Text of each file by its path below the chart's `files`."""
    made = {
        f"dashboards/{board.uid.removeprefix('lumenmill-')}.json": json.dumps(
            built(board), cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False
        )
        + "\n"
        for board in BOARDS
    }
    yaml, text = YAML(), StringIO()
    yaml.width = 1000
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.dump({"groups": rule_groups()}, text)
    return {**made, "alerts.yaml": _MADE_BY + text.getvalue()}
