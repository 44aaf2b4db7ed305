"""``vaultbridge train promote`` and ``train rollback``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from vaultbridge.cli.console import out
from vaultbridge.cli.options import ConfigOption, DataOption, VaultOption, settings_of
from vaultbridge.cli.train_proof import check_packages, proved
from vaultbridge.cli.train_report import RunArgument
from vaultbridge.core.errors import ConfigError

if TYPE_CHECKING:
    from vaultbridge.catalog.roles import Role
    from vaultbridge.lab.training.run import Run
    from vaultbridge.place import Place

_ROLES: Mapping[str, Role] = {"embedder": "embed", "reranker": "rerank"}


def promote(
    run: RunArgument,
    vault: VaultOption = None,
    force: Annotated[bool, typer.Option("--force", help="Even if validation did not improve.")] = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Make a trained model the vault's embedder, or its reranker; `train rollback` undoes it."""
    from vaultbridge.catalog.roles import Roles
    from vaultbridge.lab.training.promotion import install
    from vaultbridge.lab.training.proving import tuned_sheet
    from vaultbridge.lab.training.run import Run
    from vaultbridge.place import only_for_owner, place_of
    from vaultbridge.wiring import supply_of

    settings = settings_of(config, vault=vault, data=data)
    place = place_of(settings)
    found = Run(run)
    sheet = found.read()
    if sheet.role in settings.models.model_fields_set:
        raise ConfigError(
            f"The settings name a model, models.{sheet.role}, which goes ahead of any that is promoted.",
            "Take it out of vaultbridge.toml and of the environment, then promote again.",
        )
    name = tuned_sheet(found, sheet).name
    if not force:
        _refuse_without_gain(found)
    supply = supply_of(settings)
    licence = supply.catalog.get(sheet.base.name).licence if sheet.base.name in supply.catalog else ""
    name = install(found.model, name, sheet.role, licence, supply)
    role = _ROLES[sheet.role]
    roles = Roles(place.folder / "roles.json")
    if roles.chosen(role) == name:
        out.print(f"{name} is the {sheet.role} of {place.vault.name} already.")
        return
    with only_for_owner(place):
        roles.promote(role, name)
    out.print(f"{name} is the {sheet.role} of {place.vault.name} now; undo it with: vaultbridge train rollback")
    _print_when(place)
    if role == "embed":
        out.print("The notes are embedded anew behind the former vectors, which answer until that is done.")


def rollback(vault: VaultOption = None, data: DataOption = None, config: ConfigOption = None) -> None:
    """Undo the last promotion: the model that was there before serves again."""
    from vaultbridge.catalog.roles import Roles
    from vaultbridge.place import only_for_owner, place_of

    place = place_of(settings_of(config, vault=vault, data=data))
    roles = Roles(place.folder / "roles.json")
    role_names = {role: name for name, role in _ROLES.items()}
    with only_for_owner(place):
        last = roles.rollback()
    if last is None:
        raise ConfigError(
            f"No model is promoted in {place.vault.name}, so there is nothing to go back to.",
            "One that was chosen since, in the plugin or by /vault/roles, is changed there.",
        )
    before = last.before or "what the settings say"
    out.print(f"The {role_names[last.role]} of {place.vault.name} is {before} again.")
    _print_when(place)


def _print_when(place: Place) -> None:
    from vaultbridge.place import running_server

    if running := running_server(place):
        out.print(f"The server at {running['address']} takes it up when it is started again.")
    else:
        out.print("It serves from the next start on.")


def _refuse_without_gain(run: Run) -> None:
    check_packages()
    from vaultbridge.backends.vector_space import weights_digest
    from vaultbridge.lab.training.gain import read_proof
    from vaultbridge.lab.training.page import change
    from vaultbridge.lab.training.proving import Questions

    proof = read_proof(run.folder, weights_digest(run.model))
    if proof is None:
        proof = proved(run, Questions(("validation",)), quiet=False)
        proof.write(run.folder)
    if not proof.holds:
        raise ConfigError(
            f"Validation did not improve by more than chance explains: nDCG@10 {change(proof.gain)}.",
            f"See: vaultbridge train report {run.folder}. Promote it in spite of that with --force.",
        )
