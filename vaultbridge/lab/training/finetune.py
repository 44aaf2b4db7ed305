"""FlagEmbedding's fine-tuning as a child process: started, watched, and ended with whoever started it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Thread
from typing import IO

from vaultbridge.core.errors import DiskFull, TrainingFailed

NO_ROOM = re.compile(r"No space left on device|File too large|quota exceeded|inline_container|PytorchStreamWriter")
"""What torch, safetensors and the system say of a disk that is full."""
_LAST_LINES = 20
_OUT_OF_MEMORY = re.compile(r"out of memory|Cannot allocate memory|not enough memory", re.IGNORECASE)
_KILLED = -9


@dataclass(frozen=True, slots=True)
class Step:
    """One step that was logged: ``of`` all of them, ``seconds`` since this process began to train."""

    step: int
    of: int
    loss: float
    learning_rate: float
    seconds: float


def finetune(
    module: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    log: Path,
    told: Callable[[Step], None],
) -> None:
    """Run a trainer to its end; each step is ``told``, and is a line of the ``log``.

    Whatever ends this call ends the process: its group is its own, so that Ctrl-C comes here and not there. Raises
    DiskFull, TrainingFailed with the last lines that it wrote.
    """
    command = [sys.executable, "-m", "vaultbridge.backends.flag_training", module, *arguments]
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, encoding="utf-8", errors="replace",
        env={**os.environ, **environment}, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    last: deque[str] = deque(maxlen=_LAST_LINES)
    reader = Thread(target=last.extend, args=(process.stderr,), daemon=True)
    reader.start()
    try:
        _follow(process.stdout, log, told)
        status = process.wait()
        reader.join()
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()
    if status:
        raise _failure(status, "".join(last))


def disk_full() -> DiskFull:
    """The error for a disk that is full in the middle of a run."""
    return DiskFull(
        "No room is left for what the run writes.",
        "Free some space and run the same command again: it goes on from its last whole checkpoint.",
    )


def _follow(lines: IO[str], log: Path, told: Callable[[Step], None]) -> None:
    total, began = 0, time.monotonic()
    with log.open("a", encoding="utf-8") as kept:
        for line in lines:
            words = json.loads(line)
            if "steps" in words:
                total, began = words["steps"], time.monotonic()
            elif "step" in words:
                step = Step(of=total, seconds=round(time.monotonic() - began, 3), **words)
                kept.write(json.dumps(asdict(step)) + "\n")
                kept.flush()
                told(step)


def _failure(status: int, said: str) -> DiskFull | TrainingFailed:
    if NO_ROOM.search(said):
        return disk_full()
    hint = "Run the same command again: it goes on from the last checkpoint."
    if status == _KILLED or _OUT_OF_MEMORY.search(said):
        hint = "If memory was short, pass a smaller --batch-size, or shorter --passage-tokens, and another --out."
    reason = said.strip() or f"it ended with status {status} and said nothing"
    return TrainingFailed(f"The training ended before its time:\n{reason}", hint)
