"""``vaultbridge plugin``: the Obsidian plugin, copied into a vault."""

from __future__ import annotations

import shutil
from importlib import resources
from pathlib import Path

import typer

from vaultbridge.cli.console import out
from vaultbridge.cli.options import ConfigOption, VaultOption, settings_of
from vaultbridge.core.errors import ConfigError, VaultNotFound

plugin_app = typer.Typer(
    help="The Obsidian plugin: install it into a vault.", no_args_is_help=True, rich_markup_mode=None
)
FILES = ("main.js", "manifest.json", "styles.css")
_CHECKOUT = Path(__file__).parents[2] / "obsidian-plugin"
_SETTINGS = ".obsidian"


@plugin_app.callback()
def _group() -> None:
    """Without it a group of one command would be that command."""


@plugin_app.command("install")
def plugin_install(vault: VaultOption = None, config: ConfigOption = None) -> None:
    """Copy the plugin's three files into a vault; what it has set there stays."""
    root = settings_of(config, vault=vault).vault
    if root is None or not root.is_dir():
        raise VaultNotFound("The vault is not there.", "Pass --vault DIR, the folder that Obsidian opens.")
    if not (root / _SETTINGS).is_dir():
        raise ConfigError(f"{root} has no folder {_SETTINGS}.", "Open it in Obsidian once, then try again.")
    source = _source()
    folder = root / _SETTINGS / "plugins" / "vaultbridge"
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        shutil.copyfile(source / name, folder / name)
    out.print(f"The plugin is in {folder}.\n  Enable it in Obsidian: Settings, Community plugins, Vaultbridge.")


def _source() -> Path:
    """Where the built plugin is: in what was installed, or in the checkout that this runs from."""
    packaged = Path(str(resources.files("vaultbridge"))) / "obsidian_plugin"
    source = packaged if packaged.is_dir() else _CHECKOUT
    if not all((source / name).is_file() for name in FILES):
        raise ConfigError(
            "This vaultbridge was built without its plugin.",
            "In a checkout run `make plugin`, or put the three files of a release into the vault.",
        )
    return source
