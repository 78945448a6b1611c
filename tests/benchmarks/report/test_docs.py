"""The page on accuracy names only what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ostrack_edge.benchmarks.cli import app
from ostrack_edge.datasets.registry import LAYOUTS
from typer.main import get_command
from typer.testing import CliRunner

PAGE = (Path(__file__).parents[3] / "docs" / "accuracy.md").read_text(encoding="utf-8")
COMMANDS = ("accuracy", "agreement", "compare", "report")


def options(command: str) -> set[str]:
    group = get_command(app)
    return {option for parameter in group.commands[command].params for option in parameter.opts}  # type: ignore[attr-defined]


def test_every_layout_is_named() -> None:
    table = PAGE[PAGE.index("| layout") : PAGE.index("Boxes are in pixels")]
    named = set(re.findall(r"`([a-z0-9-]+):`", table))
    assert named == {layout.prefix for layout in LAYOUTS}


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_are_shown_with_options_that_they_have(command: str) -> None:
    shown = re.findall(rf"ostrack-bench {command}\b((?:[^\n]*\\\n)*[^\n]*)", PAGE)
    assert shown
    used = {option for line in shown for option in re.findall(r"(?<![\w-])--[a-z-]+", line)}
    assert used <= options(command)


def test_every_option_in_the_text_is_one() -> None:
    own = {option for command in COMMANDS for option in options(command)}
    used = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", PAGE))
    assert used - own == {"--untrained"}, "and that one is ostrack-export's"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_there(command: str) -> None:
    assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0
