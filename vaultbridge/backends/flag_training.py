"""FlagEmbedding's own fine-tuning, as a process: ``python -m vaultbridge.backends.flag_training TRAINER ARGUMENT…``.

TRAINER is a module of ``FlagEmbedding.finetune``, run as its main with the arguments that it documents. Standard output
has a JSON object a line: ``{"steps"}`` when it begins, ``{"step", "loss", "learning_rate"}`` for each logged step,
``{"saved"}`` for each checkpoint that is whole. Everything else goes to standard error. The process ends when its
standard input does, and that is when its parent is no more.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import threading
from typing import Any, TextIO


def main(trainer: str, arguments: list[str]) -> None:
    """Run a trainer to its end."""
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    told, sys.stdout = sys.stdout, sys.stderr
    _tell(told)
    sys.argv = [trainer, *arguments]
    runpy.run_module(f"FlagEmbedding.finetune.{trainer}", run_name="__main__")


def _end_with_the_parent() -> None:
    # Without Python's buffer, whose lock would still be held when the process ends by itself.
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)


def _tell(told: TextIO) -> None:
    from transformers import TrainerCallback, trainer

    def say(**words: Any) -> None:
        told.write(json.dumps(words) + "\n")
        told.flush()

    class Teller(TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            say(steps=state.max_steps)

        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any], **_: Any) -> None:
            if "loss" in logs:
                say(step=state.global_step, loss=float(logs["loss"]), learning_rate=float(logs["learning_rate"]))

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            say(saved=state.global_step)

    trainer.DEFAULT_CALLBACKS.append(Teller)
    # The trained module wraps the model, and what is saved is the model alone: the Trainer would find none of its names
    # in the wrapper and go on from the base. The checkpoint is given as the model to begin with instead.
    trainer.Trainer._load_from_checkpoint = lambda *_: None


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
