"""``POST /vault/verify``: whether the index equals the vault, chunk by chunk."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import TypedDict

from vaultbridge.index.verify import Difference, Verification
from vaultbridge.server.services import Services


class DifferenceView(TypedDict):
    """A note of which the index did not hold what the vault says, and what of it."""

    note: str
    what: str


class VerificationView(TypedDict):
    """How many notes and chunks were compared, what was ``found`` and written again, what is ``left`` after that.

    ``equal``: the index equals the vault now.
    """

    notes: int
    chunks: int
    equal: bool
    found: list[DifferenceView]
    left: list[DifferenceView]


async def verify_view(services: Services) -> VerificationView:
    """Compare the index with a fresh reading of the vault, and write again what differs."""
    return verification_view(await services.index.verify())


def verification_view(verification: Verification) -> VerificationView:
    """A verification as a document."""
    return {
        "notes": verification.left.notes,
        "chunks": verification.left.chunks,
        "equal": verification.equal,
        "found": _differences(verification.found.differences),
        "left": _differences(verification.left.differences),
    }


def _differences(differences: Sequence[Difference]) -> list[DifferenceView]:
    return [{"note": difference.note, "what": difference.what} for difference in differences]
