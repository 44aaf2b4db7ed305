"""What keeps a program running on each system: the file that it reads, and the commands that it is told with."""

from __future__ import annotations

import getpass
import os
import plistlib
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from xml.etree import ElementTree

RESTART_SECONDS = 10
_TASK = "http://schemas.microsoft.com/windows/2004/02/mit/task"


@dataclass(frozen=True, slots=True)
class Job:
    """What is to run: ``id`` is of letters and digits; ``command`` begins with an absolute path."""

    id: str
    title: str
    command: tuple[str, ...]


class Supervisor(Protocol):
    """One system's way. Commands are lists of words; those of ``install`` follow the file, ``remove``'s go before."""

    @property
    def file(self) -> Path:
        """Where its file is."""

    def content(self) -> bytes:
        """What stands in it."""

    @property
    def install(self) -> Sequence[Sequence[str]]:
        """Load it and start the program, now and at every login."""

    @property
    def remove(self) -> Sequence[Sequence[str]]:
        """Stop the program and forget it."""

    @property
    def status(self) -> Sequence[str]:
        """Succeeds if the program runs."""

    @property
    def note(self) -> str:
        """What a user should know."""


@dataclass(frozen=True, slots=True)
class Systemd:
    """A unit of the user's own systemd."""

    job: Job
    home: Path

    @property
    def unit(self) -> str:
        """Its name."""
        return f"vaultbridge-{self.job.id}.service"

    @property
    def file(self) -> Path:
        """Among the user's units."""
        return self.home / ".config/systemd/user" / self.unit

    def content(self) -> bytes:
        """The unit. The server alone gets the signal to stop: it ends its models itself."""
        command = " ".join(map(_systemd_word, self.job.command))
        return f"""\
[Unit]
Description={self.job.title.replace("%", "%%")}
StartLimitIntervalSec=0

[Service]
ExecStart={command}
Restart=on-failure
RestartSec={RESTART_SECONDS}
KillMode=mixed
TimeoutStopSec=20

[Install]
WantedBy=default.target
""".encode()

    @property
    def install(self) -> Sequence[Sequence[str]]:
        """Read the units again; start this one."""
        return (("systemctl", "--user", "daemon-reload"), ("systemctl", "--user", "enable", "--now", self.unit))

    @property
    def remove(self) -> Sequence[Sequence[str]]:
        """Stop it."""
        return (("systemctl", "--user", "disable", "--now", self.unit),)

    @property
    def status(self) -> Sequence[str]:
        """Ask."""
        return ("systemctl", "--user", "is-active", "--quiet", self.unit)

    @property
    def note(self) -> str:
        """A user's units live as long as the user is logged in."""
        return (
            f"It runs while you are logged in; from boot on after: loginctl enable-linger. "
            f"Its log: journalctl --user -u {self.unit}"
        )


@dataclass(frozen=True, slots=True)
class Launchd:
    """A launch agent of macOS."""

    job: Job
    home: Path
    user: int

    @property
    def label(self) -> str:
        """Its name."""
        return f"vaultbridge.{self.job.id}"

    @property
    def file(self) -> Path:
        """Among the user's agents."""
        return self.home / "Library/LaunchAgents" / f"{self.label}.plist"

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return self.home / "Library/Logs" / f"{self.label}.log"

    def content(self) -> bytes:
        """The property list. An agent that is not ``Interactive`` is held to a fraction of the processor."""
        return plistlib.dumps(
            {
                "Label": self.label,
                "ProgramArguments": list(self.job.command),
                "RunAtLoad": True,
                "KeepAlive": {"SuccessfulExit": False},
                "ThrottleInterval": RESTART_SECONDS,
                "ProcessType": "Interactive",
                "StandardOutPath": str(self.log),
                "StandardErrorPath": str(self.log),
            }
        )

    @property
    def install(self) -> Sequence[Sequence[str]]:
        """Load it; ``RunAtLoad`` starts it."""
        return (("launchctl", "bootstrap", f"gui/{self.user}", str(self.file)),)

    @property
    def remove(self) -> Sequence[Sequence[str]]:
        """Unload it, which stops it."""
        return (("launchctl", "bootout", f"gui/{self.user}/{self.label}"),)

    @property
    def status(self) -> Sequence[str]:
        """Ask."""
        return ("launchctl", "print", f"gui/{self.user}/{self.label}")

    @property
    def note(self) -> str:
        """Where to look."""
        return f"It runs while you are logged in. Its log: {self.log}"


@dataclass(frozen=True, slots=True)
class TaskScheduler:
    """A task of Windows that starts with the user's login."""

    job: Job
    home: Path
    user: str

    @property
    def name(self) -> str:
        """Its name."""
        return f"vaultbridge-{self.job.id}"

    @property
    def file(self) -> Path:
        """Windows keeps a copy; ours says what it was told."""
        return self.home / "AppData/Local/vaultbridge" / f"{self.name}.xml"

    def content(self) -> bytes:
        """The task, in UTF-16, which is what ``schtasks`` reads."""
        ElementTree.register_namespace("", _TASK)
        task = ElementTree.Element(f"{{{_TASK}}}Task", version="1.2")

        def add(path: str, text: str) -> None:
            place = task
            for name in path.split("/"):
                found = place.find(f"{{{_TASK}}}{name}")
                place = ElementTree.SubElement(place, f"{{{_TASK}}}{name}") if found is None else found
            place.text = text

        program, *arguments = self.job.command
        add("RegistrationInfo/Description", self.job.title)
        add("Triggers/LogonTrigger/Enabled", "true")
        add("Triggers/LogonTrigger/UserId", self.user)
        add("Principals/Principal/UserId", self.user)
        add("Principals/Principal/LogonType", "InteractiveToken")
        add("Principals/Principal/RunLevel", "LeastPrivilege")
        add("Settings/MultipleInstancesPolicy", "IgnoreNew")
        add("Settings/DisallowStartIfOnBatteries", "false")
        add("Settings/StopIfGoingOnBatteries", "false")
        add("Settings/RestartOnFailure/Interval", "PT1M")
        add("Settings/RestartOnFailure/Count", "255")
        add("Settings/ExecutionTimeLimit", "PT0S")
        add("Actions/Exec/Command", program)
        add("Actions/Exec/Arguments", subprocess.list2cmdline(arguments))
        written: bytes = ElementTree.tostring(task, encoding="utf-16", xml_declaration=True)
        return written

    @property
    def install(self) -> Sequence[Sequence[str]]:
        """Register it, and start it at once."""
        return (
            ("schtasks", "/Create", "/TN", self.name, "/XML", str(self.file), "/F"),
            ("schtasks", "/Run", "/TN", self.name),
        )

    @property
    def remove(self) -> Sequence[Sequence[str]]:
        """Stop it and forget it."""
        return (("schtasks", "/End", "/TN", self.name), ("schtasks", "/Delete", "/TN", self.name, "/F"))

    @property
    def status(self) -> Sequence[str]:
        """Succeeds if there is such a task."""
        return ("schtasks", "/Query", "/TN", self.name)

    @property
    def note(self) -> str:
        """What it depends on."""
        return "It runs while you are logged in. Look for it in the Task Scheduler."


def supervisor(job: Job, system: str = sys.platform, home: Path | None = None) -> Supervisor:
    """The one of this system."""
    home = home or Path.home()
    if system == "darwin":
        return Launchd(job, home, os.getuid())
    if system == "win32":
        return TaskScheduler(job, home, f"{os.environ.get('USERDOMAIN', '.')}\\{getpass.getuser()}")
    return Systemd(job, home)


def interpreter(system: str = sys.platform, executable: str = sys.executable) -> str:
    """This Python; on Windows the one that opens no console, if it is there."""
    if system != "win32":
        return executable
    windowless = Path(executable).with_name("pythonw.exe")
    return str(windowless) if windowless.is_file() else executable


def _systemd_word(word: str) -> str:
    r"""A word in quotes, as systemd reads it: ``\`` and ``"`` escaped, ``%`` and ``$`` doubled."""
    for character, escaped in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"), ("$", "$$"), ("\n", "\\n"), ("\t", "\\t")):
        word = word.replace(character, escaped)
    return f'"{word}"'
