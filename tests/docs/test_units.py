"""Values are formatted as Grafana formats them."""

import pytest

from docs.tools.units import format_value


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0, "s", "0 s"),
        (0.00027, "s", "270 µs"),
        (0.0047, "s", "4.7 ms"),
        (90, "s", "1.5 mins"),
        (2, "m", "2 mins"),
        (3 * 86_400, "s", "3 days"),
        (0.956, "percentunit", "95.6%"),
        (1536, "bytes", "1.5 KiB"),
        (2048, "mbytes", "2 GiB"),
        (2.5e6, "Bps", "2.5 MB/s"),
        (0.0123, "currencyUSD", "$0.012"),
        (12_345, "short", "12.3 k"),
        (0.5, "reqps", "0.5 req/s"),
    ],
)
def test_values_are_rounded_and_have_units(value: float, unit: str, text: str) -> None:
    assert format_value(value, unit) == text
