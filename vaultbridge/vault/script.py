"""Which scripts a vault is written in."""

from __future__ import annotations

import re
from itertools import islice

from vaultbridge.vault.files import Vault
from vaultbridge.vault.formats import PDF, suffix
from vaultbridge.vault.ignore import IgnoreRules

_CJK = re.compile("[\u3040-\u9fff\uac00-\ud7a3]")
NOTES = 200
CHARACTERS = 2000


def has_cjk(vault: Vault) -> bool:
    """Whether the first characters of a vault's first notes hold Chinese, Japanese or Korean."""
    texts = (note for note in vault.walk(IgnoreRules.load(vault.root)) if suffix(note.path) != PDF)
    for note in islice(texts, NOTES):
        with (vault.root / note.path).open(encoding="utf-8", errors="ignore") as file:
            if _CJK.search(file.read(CHARACTERS)):
                return True
    return False
