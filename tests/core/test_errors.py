from __future__ import annotations

import pickle

import pytest

from vaultbridge.core import errors
from vaultbridge.core.errors import ContextTooLong, VaultbridgeError


def every_error(root: type[VaultbridgeError] = VaultbridgeError) -> list[type[VaultbridgeError]]:
    return [root, *(found for kind in root.__subclasses__() for found in every_error(kind))]


def test_an_error_crosses_the_pipe_between_processes_whole() -> None:
    sent = ContextTooLong("Too long.", "Shorten it.", param="messages")
    received = pickle.loads(pickle.dumps(sent))
    assert type(received) is ContextTooLong
    assert (received.message, received.hint, received.param) == ("Too long.", "Shorten it.", "messages")
    assert str(received) == "Too long. Shorten it."


@pytest.mark.parametrize("kind", every_error())
def test_every_error_has_a_code_and_stands_in_the_drawn_tree(kind: type[VaultbridgeError]) -> None:
    assert kind.code
    assert errors.__doc__ is not None
    assert kind.__name__ in errors.__doc__
