"""``vaultbridge eval --answers``: asking, the table and the document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vaultbridge.cli.console import out, print_json, progress_bar
from vaultbridge.core.errors import ConfigError

if TYPE_CHECKING:
    from vaultbridge.chat.format import Format
    from vaultbridge.lab.cases import Case
    from vaultbridge.lab.truth import Outcome
    from vaultbridge.wiring import House

MAX_TOKENS = 64
"""Of an answer; the collections' answers are a few words."""
_COLUMNS = {
    "contained": "contained",
    "refused": "refused",
    "invented": "invented",
    "refused_without": "refused",
    "invented_without": "invented",
    "language": "language",
    "claims_supported": "supported",
    "gold_shown": "shown",
    "gold_cited": "cited",
}


async def examine_answers(
    house: House, folder: Path, cases: Sequence[Case], specs: Sequence[str], k: int, as_json: bool
) -> None:
    """Ask every question in each format, with the note that answers it and without; print what came of it."""
    from vaultbridge.lab.citations import answer_words
    from vaultbridge.lab.truth import Task, examine, figures

    words = answer_words(folder)
    tasks = [Task(case, tuple(words[case.id])) for case in cases if words.get(case.id)]
    if not tasks:
        raise ConfigError(f"{folder} does not say what the answers are.", "queries.jsonl needs metadata.answers.")
    with progress_bar(quiet=as_json) as bar:
        bar.add_task("Indexing", total=None)
        await house.synced()
        own = await house.services.chat.format()
    rows: list[dict[str, Any]] = []
    for form in [_format(spec, own) for spec in specs or [""]]:
        with progress_bar(quiet=as_json) as bar:
            seen = partial(bar.advance, bar.add_task("Asking", total=len(tasks)))
            outcomes = await examine(house.services.chat, tasks, form, k, MAX_TOKENS, seen)
        rows.append({"format": asdict(form), "figures": figures(outcomes), "answers": list(map(_answers, outcomes))})
    names = house.services.names
    head = {"collection": folder.resolve().name, "model": names.generator, "embedder": names.embedder}
    if as_json:
        print_json({**head, "questions": len(tasks), "k": k, "max_tokens": MAX_TOKENS, "rows": rows})
        return
    out.print(f"{', '.join(head.values())}, {len(tasks)} questions, k {k}, at most {MAX_TOKENS} tokens; in percent")
    _print(rows)


def _format(spec: str, own: Format) -> Format:
    """``own`` with some fields changed: ``notes=2,best_last=no``. Raises ConfigError."""
    from pydantic import TypeAdapter, ValidationError

    fields = asdict(own)
    changes = dict(part.partition("=")[::2] for part in spec.split(",") if part)
    try:
        if changes.keys() <= fields.keys():
            return TypeAdapter(type(own)).validate_python({**fields, **changes})
    except ValidationError:
        pass
    raise ConfigError(f"There is no format {spec}.", f"Its fields are as in: {_name(fields)}")


def _name(form: Mapping[str, Any]) -> str:
    return ",".join(f"{key}={value}" for key, value in form.items())


def _answers(outcome: Outcome) -> dict[str, Any]:
    task = outcome.task
    return {
        "id": task.case.id,
        "question": task.case.text,
        "right": task.answers,
        "given": {"text": outcome.given.text, **asdict(outcome.given_verdict)},
        "without": {"text": outcome.without.text, **asdict(outcome.without_verdict)},
    }


def _print(rows: Sequence[Mapping[str, Any]]) -> None:
    out.print(f"  {'':<60}  with the note that answers    without it")
    out.print(f"  {'format':<60}" + "".join(f"{name:>10}" for name in _COLUMNS.values()) + "    tokens   s/answer")
    for row in rows:
        form, found = row["format"], row["figures"]
        shares = (found[key]["mean"] if isinstance(found[key], Mapping) else found[key] for key in _COLUMNS)
        cells = "".join(f"{100 * share:10.1f}" for share in shares)
        out.print(f"  {_name(form):<60}{cells}{found['prompt_tokens']:10.0f}{found['seconds']:10.1f}")
