"""Licences that users state for their files."""

import pytest

from lumenmill_client._licence import licence_from_spdx
from lumenmill_client.command._licence_option import parse_licence
from lumenmill_common.errors import InvalidArgumentError


@pytest.mark.parametrize(
    ("spdx_id", "given", "allowed"),
    [
        ("CC0-1.0", None, True),
        ("CC-BY-NC-4.0", None, False),
        ("CC-BY-NC-SA-4.0", None, False),
        ("LicenseRef-contract", None, None),
        ("LicenseRef-contract", True, True),
        ("CC-BY-ND-4.0", None, None),
        ("CC0-1.0", False, False),
        ("ISC", None, True),
        ("cc-by-nc-3.0", None, False),
    ],
)
def test_commercial_use_is_derived_only_for_common_licences(
    spdx_id: str, given: bool | None, allowed: bool | None
) -> None:
    licence = licence_from_spdx(spdx_id, allows_commercial_use=given)
    stated = licence.allows_commercial_use if licence.HasField("allows_commercial_use") else None
    assert (licence.spdx_id, stated) == (spdx_id, allowed)


def test_empty_options_give_no_licence_and_incomplete_ones_are_rejected() -> None:
    assert parse_licence("", None) is None
    for spdx_id, use in (("", True), ("free for all", None)):
        with pytest.raises(InvalidArgumentError) as rejected:
            parse_licence(spdx_id, use)
        assert rejected.value.field == "--licence"


def test_commercial_use_that_contradicts_the_licence_is_rejected() -> None:
    with pytest.raises(InvalidArgumentError, match=r"contradicts CC-BY-NC-4\.0") as rejected:
        parse_licence("CC-BY-NC-4.0", allows_commercial_use=True)
    assert rejected.value.field == "--commercial-use"
