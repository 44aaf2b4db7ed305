"""The short form of ``make conformance``, on the fake models."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance.suites import DIFFERENT, FORMATS, comply, schemathesis
from tests.scenarios.serving import Served
from tests.server.building import write_vault

SECONDS = 30


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("conformance")
    with Served(home, write_vault(home / "My Vault")) as served:
        served.wait_until_indexed()
        yield served


@pytest.mark.parametrize("form", FORMATS)
def test_llm_comply_is_content_but_for_what_we_mean_to_do_otherwise(served: Served, form: str) -> None:
    checked = comply(f"{served.address}/v1", form)
    assert len(checked) > 8
    wrong = {each.id: each.errors for each in checked if each.status == "failed"}
    assert wrong.keys() == {each.id for each in checked if each.id in DIFFERENT}, wrong


def test_requests_made_up_from_our_description_are_answered_as_described(served: Served) -> None:
    fuzzed = schemathesis(served.address, SECONDS)
    assert not fuzzed.complaint, fuzzed.complaint
    assert fuzzed.requests > 100
    assert "Traceback" not in served.log.read_text()
