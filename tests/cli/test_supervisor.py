"""What the systems' supervisors are told: read back as they read it, not compared with a text."""

from __future__ import annotations

import configparser
import plistlib
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from vaultbridge.cli.supervisor import Job, Launchd, Systemd, TaskScheduler, interpreter, supervisor

PATHS = [
    "/srv/anna/Notes",
    "/srv/anna/My Notes (100% mine)",
    '/srv/anna/say "hello" $HOME ${X} %h',
    "/srv/anna/back\\slash 'quoted'; rm",
    "/srv/anna/日本語 ノート",
]


def job(path: str) -> Job:
    return Job("0a1b2c", f"vaultbridge: {Path(path).name}", ("/opt/my env/bin/python", "-m", "vaultbridge", path))


def systemd_words(line: str) -> list[str]:
    """A command line as systemd.service(5) and systemd.syntax(7) describe it; here every word is in double quotes."""
    words = re.findall(r'"((?:[^"\\]|\\.)*)"', line)
    assert " ".join(f'"{word}"' for word in words) == line, "nothing stands outside of quotes"
    plain = []
    for word in words:
        assert not re.search(r"(?<!%)%(?:%%)*(?!%)", word), "a specifier is left"
        assert not re.search(r"(?<!\$)\$(?:\$\$)*(?!\$)", word), "a variable is left"
        word = re.sub(r"\\(.)", lambda found: {"n": "\n", "t": "\t"}.get(found[1], found[1]), word)
        plain.append(word.replace("%%", "%").replace("$$", "$"))
    return plain


@pytest.mark.parametrize("path", PATHS)
def test_systemd_starts_the_very_command(path: str, tmp_path: Path) -> None:
    unit = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=("#", ";"))
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(Systemd(job(path), tmp_path).content().decode())
    assert systemd_words(unit["Service"]["ExecStart"]) == list(job(path).command)
    assert unit["Unit"]["Description"].replace("%%", "%") == job(path).title
    assert unit["Service"]["Restart"] == "on-failure"
    assert unit["Service"]["KillMode"] == "mixed", "the server ends its models itself"
    assert unit["Install"]["WantedBy"] == "default.target", "with every login"


@pytest.mark.parametrize("path", PATHS)
def test_launchd_starts_the_very_command(path: str, tmp_path: Path) -> None:
    agent = Launchd(job(path), tmp_path, 501)
    listed = plistlib.loads(agent.content())
    assert listed["ProgramArguments"] == list(job(path).command)
    assert listed["RunAtLoad"] is True
    assert listed["KeepAlive"] == {"SuccessfulExit": False}
    assert agent.file == tmp_path / "Library/LaunchAgents" / f"{listed['Label']}.plist"
    assert ["launchctl", "bootstrap", "gui/501", str(agent.file)] in [list(command) for command in agent.install]


def windows_words(line: str) -> list[str]:
    """A command line as Microsoft's C runtime takes it apart."""
    words: list[str] = []
    word, quoted, begun, at = "", False, False, 0
    while at < len(line):
        slashes = len(line[at:]) - len(line[at:].lstrip("\\"))
        at += slashes
        following = line[at : at + 1]
        if following == '"':
            word += "\\" * (slashes // 2)
            if slashes % 2:
                word += '"'
            else:
                quoted = not quoted
            begun, at = True, at + 1
            continue
        word += "\\" * slashes
        begun = begun or bool(slashes)
        if following in (" ", "\t") and not quoted:
            words, word, begun = [*words, word] if begun else words, "", False
        elif following:
            word, begun = word + following, True
        at += 1
    return [*words, word] if begun else words


@pytest.mark.parametrize("path", [*PATHS, "C:\\Users\\Anna B\\Notes\\", 'D:\\a "b"\\'])
def test_windows_starts_the_very_command(path: str, tmp_path: Path) -> None:
    task = TaskScheduler(job(path), tmp_path, "DESK\\anna")
    root = ElementTree.fromstring(task.content())
    space = {"t": "http://schemas.microsoft.com/windows/2004/02/mit/task"}

    def text(where: str) -> str:
        return root.findtext(where, "", space)

    words = [text(".//t:Exec/t:Command"), *windows_words(text(".//t:Exec/t:Arguments"))]
    assert words == list(job(path).command)
    assert text(".//t:LogonTrigger/t:UserId") == text(".//t:Principal/t:UserId") == "DESK\\anna"
    assert text(".//t:Principal/t:RunLevel") == "LeastPrivilege"
    assert text(".//t:ExecutionTimeLimit") == "PT0S", "it is not ended after three days"
    assert text(".//t:DisallowStartIfOnBatteries") == "false"


def test_the_order_of_a_tasks_parts_is_that_of_its_schema(tmp_path: Path) -> None:
    root = ElementTree.fromstring(TaskScheduler(job("x"), tmp_path, "anna").content())
    parts = [part.tag.rpartition("}")[2] for part in root]
    assert parts == ["RegistrationInfo", "Triggers", "Principals", "Settings", "Actions"]


def test_each_system_has_its_own(tmp_path: Path) -> None:
    assert isinstance(supervisor(job("x"), "linux", tmp_path), Systemd)
    assert isinstance(supervisor(job("x"), "darwin", tmp_path), Launchd)
    assert isinstance(supervisor(job("x"), "win32", tmp_path), TaskScheduler)


def test_windows_takes_the_python_that_opens_no_window(tmp_path: Path) -> None:
    python = tmp_path / "python.exe"
    assert interpreter("win32", str(python)) == str(python)
    (tmp_path / "pythonw.exe").touch()
    assert Path(interpreter("win32", str(python))).name == "pythonw.exe"
    assert interpreter("linux", "/usr/bin/python3") == "/usr/bin/python3"
