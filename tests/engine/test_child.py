"""The child's inbox: calls and cancels that come close together."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine.inline import Pipe
from vaultbridge.engine.child import Call, Cancel, Inbox, Reply


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


@pytest.fixture
def inbox(pipe: Pipe) -> Inbox:
    return Inbox(pipe, on_close=lambda: None)  # type: ignore[arg-type]


def ids(calls: list[Call]) -> list[int]:
    return [call.id for call in calls]


def test_calls_come_in_their_order_and_once(inbox: Inbox, pipe: Pipe) -> None:
    pipe.deliver(Call(1, "a"), Call(2, "b"))
    assert ids(inbox.arrived(wait=False)) == [1, 2]
    assert inbox.arrived(wait=False) == []


def test_a_call_that_is_cancelled_before_it_was_seen_is_never_seen(inbox: Inbox, pipe: Pipe) -> None:
    pipe.deliver(Call(1, "a"), Cancel(1), Call(2, "b"))
    assert ids(inbox.arrived(wait=False)) == [2]
    assert inbox.cancelled() == []


def test_nor_if_one_asks_for_the_cancelled_ones_first(inbox: Inbox, pipe: Pipe) -> None:
    """Both can come between the two questions that a worker asks in each of its rounds."""
    pipe.deliver(Call(1, "a"), Cancel(1), Call(2, "b"))
    assert inbox.cancelled() == []
    assert ids(inbox.arrived(wait=False)) == [2]


def test_a_call_that_is_worked_on_can_be_cancelled_once(inbox: Inbox, pipe: Pipe) -> None:
    pipe.deliver(Call(1, "a"), Call(2, "b"))
    inbox.arrived(wait=False)
    pipe.deliver(Cancel(2))
    assert inbox.cancelled() == [2]
    assert inbox.cancelled() == []


def test_a_cancel_that_crosses_the_last_reply_finds_the_call_over(inbox: Inbox, pipe: Pipe) -> None:
    pipe.deliver(Call(1, "a"))
    inbox.arrived(wait=False)
    inbox.post([Reply(1, "done", last=True)])
    pipe.deliver(Cancel(1))
    assert inbox.cancelled() == []
    assert [reply.body for reply in pipe.replies] == ["done"]


def test_when_the_parent_is_gone_nobody_waits_for_a_call(inbox: Inbox, pipe: Pipe) -> None:
    pipe.deliver(Call(1, "a"))
    inbox.arrived(wait=True)
    pipe.close()
    assert list(inbox) == []
    assert inbox.closed
