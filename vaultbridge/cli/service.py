"""``vaultbridge service``: keep the server running after a reboot."""
import typer
service_app = typer.Typer(help="x")
