"""Dashboards and alerts of Lumenmill as code. `python -m monitoring` writes them into the chart."""
