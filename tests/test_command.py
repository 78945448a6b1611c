import subprocess
import sys
from pathlib import Path

import pytest
import typer
from ostrack_edge import Box
from ostrack_edge._command import parse_blocks, parse_box, parse_keep_ratio

APP = """
import errno, os, sys
from typing import Annotated
import typer
from ostrack_edge._command import parse_box, run_app
from ostrack_edge.runtime.errors import BundleError
from ostrack_edge.runtime.geometry import Box

app = typer.Typer()

@app.callback(no_args_is_help=True)
def root() -> None: ...

@app.command()
def do(how: str, box: Annotated[Box | None, typer.Option(parser=parse_box)] = None) -> None:
    print("begun", box)
    if how == "own":
        raise BundleError("the bundle is damaged; build it again")
    if how == "disk":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/some/file")
    if how == "nameless":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if how == "pipe":
        reader, writer = os.pipe()
        os.close(reader)
        os.write(writer, b"x")
    if how == "ctrl-c":
        raise KeyboardInterrupt
    if how == "exit":
        raise typer.Exit(7)
    if how == "stopped":
        sys.exit(130)
    if how == "bug":
        raise RuntimeError("a bug")
    if how == "table":
        from ostrack_edge._command import console
        for _ in range(10_000):
            console().print("x" * 100)
    if how == "much":
        for _ in range(100_000):
            print("x" * 10)

run_app(app)
"""


def run(*args: str, stdout: int | None = subprocess.PIPE) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-W", "error", "-c", APP, *args]
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["do", "well"], 0, ""),
        (["do", "well", "--box", "1,2,3,4"], 0, ""),
        (["do", "own"], 1, "error: the bundle is damaged; build it again\n"),
        (["do", "disk"], 1, "error: /some/file: No space left on device; free some space there and run it again\n"),
        (["do", "nameless"], 1, "error: No space left on device; free some space there and run it again\n"),
        (
            ["do", "pipe"],
            1,
            "error: Broken pipe; what was to read it has ended; start that again, or write to a file\n",
        ),
        (["do", "ctrl-c"], 130, "interrupted\n"),
        (["do", "exit"], 7, ""),
        (["do", "stopped"], 130, ""),
    ],
)
def test_how_a_command_ends(args: list[str], code: int, said: str) -> None:
    done = run(*args)
    # Older releases of click begin a new line after Ctrl-C.
    assert (done.returncode, done.stderr.lstrip("\n")) == (code, said)
    assert done.stdout.startswith("begun")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["do"], "issing argument"),
        (["undo"], "undo"),
        (["do", "well", "--nope"], "--nope"),
        (["do", "well", "--box", "1,2,3"], "'--box': a box is four numbers X,Y,W,H in pixels, not 3"),
        (["do", "well", "--box", "1,2,3,0"], "'--box': the box is empty: width 3, height 0"),
    ],
)
def test_a_wrong_argument_is_one_sentence(args: list[str], said: str) -> None:
    done = run(*args)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert "--help" in done.stderr


def test_no_arguments_show_the_help() -> None:
    done = run()
    assert "Usage" in done.stdout + done.stderr
    assert "error:" not in done.stderr


def test_a_bug_keeps_its_plain_traceback() -> None:
    done = run("do", "bug")
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback (most recent call last):")
    assert done.stderr.endswith("RuntimeError: a bug\n")


@pytest.mark.parametrize("what", ["much", "table"])
def test_a_reader_that_leaves_is_no_error(what: str) -> None:
    command = [sys.executable, "-W", "error", "-c", APP, "do", what]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "begun None\n"
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1


def test_a_broken_pipe_elsewhere_is_told_into_a_file_too(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as out:
        done = run("do", "pipe", stdout=out.fileno())
    assert (done.returncode, done.stderr[:19]) == (1, "error: Broken pipe;")
    assert (tmp_path / "out").read_text() == "begun None\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("how", ["well", "much"])
def test_output_that_cannot_be_written_is_an_error(how: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = run("do", how, stdout=full.fileno())
    assert done.returncode == 1
    assert done.stderr == "error: No space left on device; free some space there and run it again\n"


def test_values() -> None:
    assert parse_box("1,2.5, 3,4") == Box(1, 2.5, 3, 4)
    assert parse_keep_ratio("0.7") == 0.7
    assert parse_keep_ratio("0.7,0.7,1") == (0.7, 0.7, 1)
    assert parse_blocks("3,6,9") == (3, 6, 9)
    assert parse_blocks("0") == (0,)


@pytest.mark.parametrize(
    ("parse", "text", "said"),
    [
        (parse_box, "", "four numbers X,Y,W,H"),
        (parse_box, "1,2,3,4,5", "not 5"),
        (parse_box, "1,2,nan,4", "not finite"),
        (parse_keep_ratio, "", "such as 0.7"),
        (parse_keep_ratio, "0", "outside"),
        (parse_keep_ratio, "0.7,1.01", "1.01 is outside"),
        (parse_keep_ratio, "nan", "outside"),
        (parse_keep_ratio, "0.7;0.8", "such as 0.7"),
        (parse_blocks, "3,6.5", "whole numbers"),
        (parse_blocks, "", "whole numbers"),
        (parse_blocks, "6,3", "must rise"),
        (parse_blocks, "3,3", "must rise"),
        (parse_blocks, "-1,3", "must rise and start at 0"),
    ],
)
def test_wrong_values(parse: object, text: str, said: str) -> None:
    assert callable(parse)
    with pytest.raises(typer.BadParameter, match=said):
        parse(text)
