"""``vaultbridge service``: the server starts with every login and is started again when it fails."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vaultbridge.cli.console import err, out, print_json
from vaultbridge.cli.options import ConfigOption, DataOption, JsonOption, VaultOption, settings_of
from vaultbridge.core.errors import ConfigError, NotReady, VaultbridgeError

if TYPE_CHECKING:
    from vaultbridge.cli.supervisor import Supervisor
    from vaultbridge.place import Place

service_app = typer.Typer(
    help="Keep the server running, after a reboot too: install, remove, status.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Print the file and the commands; change nothing.")]
_VARIABLES = "VAULTBRIDGE_"


@service_app.command("install")
def service_install(
    vault: VaultOption = None, data: DataOption = None, config: ConfigOption = None, dry_run: DryRunOption = False
) -> None:
    """Start the server of a vault now and with every login."""
    place, supervisor = _found(vault, data, config)
    if dry_run:
        out.print(f"{supervisor.file}\n\n{_text(supervisor.content())}")
        for command in supervisor.install:
            out.print(shlex.join(command))
        return
    if only_here := sorted(name for name in os.environ if name.startswith(_VARIABLES)):
        err.print(f"The service will not know {', '.join(only_here)}: write it into the settings file.")
    _require(supervisor.install)
    supervisor.file.parent.mkdir(parents=True, exist_ok=True)
    supervisor.file.write_bytes(supervisor.content())
    try:
        for command in supervisor.install:
            _run(command)
    except VaultbridgeError:
        supervisor.file.unlink()
        raise
    out.print(f"The server of {place.vault.name} starts with every login; it is starting now.")
    out.print(f"  {supervisor.note}")


@service_app.command("remove")
def service_remove(
    vault: VaultOption = None, data: DataOption = None, config: ConfigOption = None, dry_run: DryRunOption = False
) -> None:
    """Stop the server of a vault and let it start no more. Its index stays."""
    place, supervisor = _found(vault, data, config)
    if dry_run:
        for command in supervisor.remove:
            out.print(shlex.join(command))
        out.print(f"delete {supervisor.file}")
        return
    if not supervisor.file.exists():
        out.print(f"There is no service for {place.vault.name}.")
        return
    _require(supervisor.remove)
    for command in supervisor.remove:
        subprocess.run(command, check=False, capture_output=True)  # one that does not run cannot be stopped
    supervisor.file.unlink()
    out.print(f"The server of {place.vault.name} is stopped and starts no more.")


@service_app.command("status")
def service_status(
    vault: VaultOption = None, data: DataOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Say whether the service is installed, and whether the server answers."""
    place, supervisor = _found(vault, data, config)
    installed = supervisor.file.exists()
    known = shutil.which(supervisor.status[0]) is not None
    running = known and subprocess.run(supervisor.status, check=False, capture_output=True).returncode == 0
    answers = asyncio.run(_answers(place))
    if as_json:
        print_json({"installed": installed, "running": running, "answers": answers, "file": str(supervisor.file)})
    elif not installed:
        out.print(f"No service is installed for {place.vault.name}. To have one: vaultbridge service install")
    else:
        out.print(f"Installed: {supervisor.file}")
        out.print("  the system runs it" if running else "  the system does not run it")
    if not as_json:
        out.print(f"  the server {'answers' if answers else 'does not answer'}")
    if not answers:
        raise typer.Exit(1)


async def _answers(place: Place) -> bool:
    from vaultbridge.place import client_of

    client = client_of(place)
    if client is None:
        return False
    async with client:
        try:
            await client.get("/health")
        except NotReady:
            return False
        except VaultbridgeError:
            return True  # it is still opening its index, and says so
    return True


def _found(vault: Path | None, data: Path | None, config: Path | None) -> tuple[Place, Supervisor]:
    """The vault's place, and what would run its server as these options run it now."""
    from vaultbridge.cli.supervisor import Job, interpreter, supervisor
    from vaultbridge.place import place_of

    place = place_of(settings_of(config, vault=vault, data=data))
    command = [interpreter(), "-m", "vaultbridge", "serve", "--vault", str(place.vault)]
    for option, path in (("--data", data), ("--config", config)):
        if path is not None:
            command += [option, str(path.expanduser().resolve())]
    return place, supervisor(Job(place.id, f"vaultbridge: {place.vault.name}", tuple(command)))


def _require(commands: Sequence[Sequence[str]]) -> None:
    program = commands[0][0]
    if shutil.which(program) is None:
        raise ConfigError(
            f"There is no {program} on this system, so nothing was changed.",
            "See `vaultbridge service install --dry-run` for what to tell another supervisor.",
        )


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise VaultbridgeError(
            f"`{shlex.join(command)}` failed: {said}",
            "Nothing is installed. Try it where you are logged in, not through `su` or in a container.",
        )


def _text(content: bytes) -> str:
    return content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8")
