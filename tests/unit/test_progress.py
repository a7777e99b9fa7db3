"""Progress: one number over all stages, never 100 before the end."""

from hypothesis import given, strategies as st

from pipeline.core.progress import ALMOST, Reading, measure
from stages.route import ROUTE


@given(st.lists(st.tuples(st.integers(0, len(ROUTE) - 1), st.floats(0, 1)), min_size=2, max_size=2))
def test_percent_grows_with_the_stage_and_its_fraction(places: list[tuple[int, float]]) -> None:
    """Percent grows with the stage and its fraction."""
    early, late = (measure(Reading(ROUTE[place].name, fraction), ROUTE).percent for place, fraction in sorted(places))
    assert 0 <= early <= late <= ALMOST


def test_fractions_out_of_range_are_held_in_it() -> None:
    """Fractions out of range are held in it."""
    first, last = ROUTE[0].name, ROUTE[-1].name
    assert (0.0, ALMOST) == (measure(Reading(first, -3.0), ROUTE).percent, measure(Reading(last, 7.0), ROUTE).percent)


def test_the_weights_of_all_stages_make_a_hundred() -> None:
    """The weights of all stages make a hundred, so that each is a share in percent."""
    assert 100 == sum(step.weight for step in ROUTE)
