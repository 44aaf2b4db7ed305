"""Whatever is sent: the server says what is wrong with it, or hands sound words on; it never breaks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.bodies import BODIES, HEADERS, mutated
from tests.fuzz.door import Door, Reply

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def door() -> Iterator[Door]:
    door = Door()
    yield door
    door.close()


def check(path: str, reply: Reply) -> None:
    if reply.status == 200:
        return
    assert 400 <= reply.status < 500, reply
    error = json.loads(reply.body)["error"]
    said = error if path.startswith("/api/") else error["message"]
    assert said.strip(), "an error that says nothing"


@pytest.mark.parametrize("path", BODIES)
def test_the_bodies_are_fine_before_they_are_mutated(door: Door, path: str) -> None:
    reply = door.post(path, json.dumps(BODIES[path]).encode())
    assert reply.status == 200, reply.body


@pytest.mark.parametrize("path", BODIES)
@given(data=st.data())
def test_a_mutated_body_is_refused_or_understood(door: Door, path: str, data: st.DataObject) -> None:
    check(path, door.post(path, data.draw(mutated(BODIES[path]))))


@given(headers=HEADERS, path=st.sampled_from(sorted(BODIES)))
def test_strange_headers_are_refused_or_understood(door: Door, path: str, headers: Mapping[str, str]) -> None:
    check(path, door.post(path, json.dumps(BODIES[path]).encode(), headers))
