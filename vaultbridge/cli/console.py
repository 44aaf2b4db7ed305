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
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

_WIDE = 90

# What is printed is other people's text: no markup, and ``:tada:`` stays what it is.
out = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def print_json(document: Any) -> None:
    """One JSON document on standard output."""
    print(json.dumps(document, ensure_ascii=False, indent=2))  # noqa: T201  rich would wrap it


def progress_bar(*, quiet: bool) -> Progress:
    """A progress bar beside the output; none if ``quiet``."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    return Progress(*columns, console=err, disable=quiet)


class _Rate(ProgressColumn):
    """How many in a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.0f}/s" if speed and speed >= 1 else "", style="progress.data.speed")


def byte_bar() -> Progress:
    """A progress bar of bytes beside the output, as narrow as the terminal asks."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    wide = (*columns, TimeRemainingColumn()) if err.width >= _WIDE else columns[::2]
    return Progress(*wide, console=err)


def size(count: float) -> str:
    """A number of bytes for people."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
