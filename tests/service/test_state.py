import pytest
from ostrack_edge.runtime.errors import InputError
from ostrack_edge.service.targets.state import StateJudge, TargetState, Thresholds

LIMITS = Thresholds(memory=4, doubt_limit=30)


def states(*scores: float, judge: StateJudge | None = None) -> list[str]:
    judge = judge or StateJudge(LIMITS)
    return [str(judge.saw(score)) for score in scores]


def test_good_scores_keep_it_tracked() -> None:
    assert set(states(*[0.6] * 50)) == {"tracking"}


def test_one_low_score_is_no_doubt() -> None:
    assert set(states(0.6, 0.6, 0.6, 0.1, 0.6, 0.6)) == {"tracking"}


def test_low_scores_lead_to_doubt_and_then_to_loss() -> None:
    seen = states(*[0.6] * 4, *[0.0] * 6)
    assert seen[4:6] == ["tracking", "uncertain"]
    assert seen[-1] == "lost"
    assert seen.index("lost") > seen.index("uncertain")


def test_between_the_thresholds_a_state_stays_as_it_is() -> None:
    between = (LIMITS.uncertain_below + LIMITS.tracking_from) / 2
    assert set(states(*[0.6] * 4, *[between] * 20)) == {"tracking"}
    judge = StateJudge(LIMITS)
    doubt = (LIMITS.lost_below + LIMITS.uncertain_below) / 2
    assert states(*[doubt] * 4, judge=judge)[-1] == "uncertain"
    assert set(states(*[between] * 20, judge=judge)) == {"uncertain"}


def test_doubt_does_not_last_for_ever() -> None:
    doubt = (LIMITS.lost_below + LIMITS.uncertain_below) / 2
    seen = states(*[doubt] * 60)
    assert seen[-1] == "lost"
    assert seen.count("uncertain") == LIMITS.doubt_limit


def lost() -> StateJudge:
    judge = StateJudge(LIMITS)
    assert states(*[0.0] * 8, judge=judge)[-1] == "lost"
    return judge


def test_a_lost_target_is_found_uncertain_and_then_tracked() -> None:
    assert states(0.4, 0.7, 0.6, 0.6, 0.6, judge=lost()) == ["lost", "uncertain", "uncertain", "uncertain", "tracking"]


def test_a_find_that_is_not_confirmed_is_lost_again_soon() -> None:
    assert states(0.7, 0.2, 0.2, 0.2, judge=lost())[-1] == "lost"


def test_a_place_of_other_colours_is_no_find() -> None:
    judge = lost()
    assert judge.saw(0.9, alike=0.5) is TargetState.LOST
    assert judge.saw(0.9, alike=0.95) is TargetState.UNCERTAIN


@pytest.mark.parametrize(
    "change", [{"lost_below": 0.9}, {"hold_below": -1.0}, {"found_from": 2.0}, {"memory": 0}, {"found_alike": 2.0}]
)
def test_thresholds_that_make_no_sense_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(InputError):
        Thresholds(**change)  # type: ignore[arg-type]
