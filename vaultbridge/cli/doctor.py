"""``vaultbridge doctor``."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from vaultbridge.cli.console import err, out, print_json
from vaultbridge.cli.options import ConfigOption, DataOption, JsonOption, VaultOption, settings_of

if TYPE_CHECKING:
    from vaultbridge.cli.checks import Check
    from vaultbridge.settings import Settings

_NAME = 12
_NARROW = 40


def doctor(
    vault: VaultOption = None,
    data: DataOption = None,
    deep: Annotated[bool, typer.Option("--deep", help="Run each model that is here once, too.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look whether everything is well, and say what to do where it is not."""
    settings = settings_of(config, vault=vault, data=data)
    found = []
    for check in _checks(settings, deep=deep):
        found.append(check)
        if not as_json:
            _print(check)
    wrong = sum(not check.ok for check in found)
    if as_json:
        print_json({"ok": not wrong, "checks": [_view(check) for check in found]})
    elif wrong:
        err.print(f"{wrong} of {len(found)} checks found something to do.")
    if wrong:
        raise typer.Exit(1)


def _checks(settings: Settings, *, deep: bool) -> Iterator[Check]:
    from vaultbridge.cli import checks
    from vaultbridge.cli.checks import Check, guarded
    from vaultbridge.core.errors import VaultbridgeError
    from vaultbridge.engine.aside import call_aside
    from vaultbridge.fitted import LLAMA_BUILD
    from vaultbridge.lab.bandwidth import quick_bandwidth, usable_threads
    from vaultbridge.place import place_of
    from vaultbridge.vault.files import Vault
    from vaultbridge.vault.ignore import IgnoreRules
    from vaultbridge.vault.script import has_cjk

    yield checks.check_python()
    threads = usable_threads()
    try:
        build = call_aside(LLAMA_BUILD)
    except VaultbridgeError as error:
        remedy = f"It may be built for another CPU. Run: {checks.REINSTALL}"
        yield Check("llama.cpp", f"it cannot be loaded: {error.message}", remedy)
    else:
        threads = build.threads
        yield checks.check_llama(build)
        yield checks.check_threads(build, settings.engine.threads, usable_threads())
    yield checks.check_bandwidth(quick_bandwidth(threads))
    yield checks.check_disk({"the index": settings.data, "models": settings.models.folder})
    place = None
    if settings.vault is not None:
        yield guarded("vault", lambda: checks.check_vault(settings))
        with suppress(VaultbridgeError):  # the check of the vault has said so
            place = place_of(settings)
    else:
        yield Check("vault", "none is named", "Pass --vault DIR, or set `vault` in vaultbridge.toml.")
    if place is not None:
        yield checks.check_index(place)
    yield guarded("port", lambda: checks.check_port(settings, place))
    root = place.vault if place else None
    yield from checks.check_models(settings, lambda: root is not None and has_cjk(Vault(root)))
    newest = 0.0
    if root is not None:
        yield checks.check_watches(root)
        notes = Vault(root).walk(IgnoreRules.load(root))
        newest = max((note.mtime_ns / 1e9 for note in notes), default=0.0)
    yield checks.check_clock(newest)
    if deep:
        yield from _trials(settings)


def _trials(settings: Settings) -> Iterator[Check]:
    """One model after another, so that no two of them are in memory at a time."""
    from vaultbridge.cli.checks import Check
    from vaultbridge.cli.trial import try_model
    from vaultbridge.core.errors import VaultbridgeError
    from vaultbridge.wiring import supply_of

    supply = supply_of(settings)
    present = [status.entry for status in supply.statuses() if status.present]
    if not present:
        yield Check("models", "none is here to be tried", "Fetch one: vaultbridge models recommend")
    for entry in present:
        try:
            model = supply.resolve(entry.name, entry.role)
        except VaultbridgeError as error:
            yield Check(f"{entry.role} {entry.name}", error.message, error.hint or "Fetch it again.")
        else:
            yield asyncio.run(try_model(entry.role, model, settings))


def _print(check: Check) -> None:
    """A line or more, no wider than the terminal; what to do stands under what was found."""
    width = max(_NARROW, out.width)
    mark = "ok" if check.ok else "!!"
    head = f"{mark}  {check.name:<{_NAME}} "
    indent = " " * (_NAME + 5)
    for line in textwrap.wrap(head + check.said, width, subsequent_indent=indent, drop_whitespace=True):
        out.print(line)
    for line in textwrap.wrap(
        check.remedy, width, initial_indent=f"{indent}→ ", subsequent_indent=f"{indent}  ", break_on_hyphens=False
    ):
        out.print(line)


def _view(check: Check) -> dict[str, object]:
    return {"name": check.name, "ok": check.ok, "said": check.said, "remedy": check.remedy}
