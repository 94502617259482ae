"""Dashboards and alerts of Lumenmill as code. `python -m monitoring` writes what the chart carries of them."""
