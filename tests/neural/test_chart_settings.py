"""The chart refuses misspelt settings by a file of what the services read: it must be of now."""

from chart.settings_of_services import FILE, written


def test_the_chart_knows_the_settings_of_now() -> None:
    assert FILE.read_text() == written(), "run `python -m tests.chart.settings_of_services`"
