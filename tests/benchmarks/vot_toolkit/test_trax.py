import pytest
from ostrack_edge.benchmarks.vot_toolkit import Message, format_message, parse_message
from ostrack_edge.runtime.errors import BenchmarkError


def test_messages_as_the_toolkit_sends_them() -> None:
    assert parse_message('@@TRAX:initialize "10.0000,20.0000,30.0000,40.0000" \n') == Message(
        "initialize", ("10.0000,20.0000,30.0000,40.0000",)
    )
    assert parse_message('@@TRAX:frame "file:///data/a b=c/1.jpg" "key.one=two words" \n') == Message(
        "frame", ("file:///data/a b=c/1.jpg",), {"key.one": "two words"}
    )
    assert parse_message("@@TRAX:initialize \n") == parse_message("@@TRAX:initialize\n") == Message("initialize")
    assert parse_message("@@TRAX:frame file:///1.jpg k=v\n") == Message("frame", ("file:///1.jpg",), {"k": "v"})


@pytest.mark.parametrize("line", ["", "\n", "loading", ' @@TRAX:frame "x"', "@@TRAX frame"])
def test_other_lines_are_no_messages(line: str) -> None:
    assert parse_message(line) is None


def test_quotes_backslashes_and_line_ends_survive() -> None:
    message = Message("quit", ('a "b"', "c\\d\\n"), {"trax.reason": "one\ntwo"})
    line = format_message(message)
    assert line.count("\n") == 1
    assert parse_message(line) == message


@pytest.mark.parametrize("line", ['@@TRAX:frame "file:///1.jpg', '@@TRAX:frame "a\\'])
def test_a_message_that_does_not_end_is_refused(line: str) -> None:
    with pytest.raises(BenchmarkError, match="its quotes do not match"):
        parse_message(line)
