"""The chart refuses misspelt settings by a file that lists those of the services: it must be current."""

from chart.settings_of_services import FILE, written


def test_the_list_of_settings_in_the_chart_is_current() -> None:
    assert FILE.read_text() == written(), "run `python -m tests.chart.settings_of_services`"
