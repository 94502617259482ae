"""Terms that people state for their files."""

import pytest
from lumenmill_client._licence import stated_licence
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
def test_what_is_not_known_to_be_allowed_stays_unknown(spdx_id: str, given: bool | None, allowed: bool | None) -> None:
    licence = stated_licence(spdx_id, allows_commercial_use=given)
    stated = licence.allows_commercial_use if licence.HasField("allows_commercial_use") else None
    assert (licence.spdx_id, stated) == (spdx_id, allowed)


def test_options_that_say_nothing_are_no_terms_and_halves_are_refused() -> None:
    assert parse_licence("", None) is None
    for spdx_id, use in (("", True), ("free for all", None)):
        with pytest.raises(InvalidArgumentError) as refused:
            parse_licence(spdx_id, use)
        assert refused.value.field == "--licence"


def test_commercial_use_of_what_forbids_it_is_refused_by_its_option() -> None:
    with pytest.raises(InvalidArgumentError, match=r"contradicts CC-BY-NC-4\.0") as refused:
        parse_licence("CC-BY-NC-4.0", allows_commercial_use=True)
    assert refused.value.field == "--commercial-use"
