from pathlib import Path

import pytest
from ostrack_edge.datasets import Footage, open_footage
from ostrack_edge.runtime.errors import FootageError, InputError, OutputError
from ostrack_edge.service.outputs import check_outputs


@pytest.fixture
def footage(clip: Path) -> Footage:
    return open_footage(clip)


def test_places_that_serve(footage: Footage, tmp_path: Path) -> None:
    (tmp_path / "old.mp4").touch()
    check_outputs(footage, None, None)
    check_outputs(footage, tmp_path / "old.mp4", tmp_path / "boxes.txt")


def test_an_input_is_never_replaced(footage: Footage, clip: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.mp4"
    link.symlink_to(clip)
    hard = clip.with_name("hard.mp4")
    hard.hardlink_to(clip)
    truth = clip.with_name("clip.groundtruth.txt")
    for path in (clip, clip.parent / ".." / clip.parent.name / clip.name, link, hard):
        with pytest.raises(InputError, match=r"--out .* would replace the input .*clip\.mp4"):
            check_outputs(footage, path, None)
        with pytest.raises(InputError, match=r"--results .* would replace the input"):
            check_outputs(footage, None, path)
    with pytest.raises(InputError, match=r"--results .* would replace the input .*groundtruth\.txt"):
        check_outputs(footage, None, truth)
    hard.unlink()


def test_two_outputs_need_two_names(footage: Footage, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="give them two names"):
        check_outputs(footage, tmp_path / "a.mp4", tmp_path / "." / "a.mp4")


@pytest.mark.parametrize("option", ["out", "results"])
def test_places_that_cannot_be_written(
    footage: Footage, tmp_path: Path, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(path: Path) -> None:
        check_outputs(footage, path if option == "out" else None, path if option == "results" else None)

    with pytest.raises(OutputError, match="there is no folder"):
        check(tmp_path / "none" / "a.mp4")
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        check(tmp_path / "folder.mp4")
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(OutputError, match="is not writable"):
        check(tmp_path / "a.mp4")


def test_a_video_needs_a_known_extension(footage: Footage, tmp_path: Path) -> None:
    with pytest.raises(FootageError, match=r"\.mp4 or \.avi"):
        check_outputs(footage, tmp_path / "a.mkv", None)
