"""What a command prints, and where: answers and documents on standard output, everything else beside it."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

_WIDE = 90

# What is printed is other people's text: no markup, and ``:tada:`` stays what it is.
out = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def print_json(document: Any) -> None:
    """One JSON document on standard output."""
    print(json.dumps(document, ensure_ascii=False, indent=2))  # noqa: T201  rich would wrap it


def progress_bar(*, quiet: bool) -> Progress:
    """A progress bar beside the output; none if ``quiet``."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=err, disable=quiet)


def byte_bar() -> Progress:
    """A progress bar of bytes beside the output, as narrow as the terminal asks."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    wide = (*columns, TimeRemainingColumn()) if err.width >= _WIDE else columns[::2]
    return Progress(*wide, console=err)


def size(count: float) -> str:
    """A number of bytes for people."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
