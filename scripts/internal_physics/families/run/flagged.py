"""What is flagged in a run, in a sentence: rows of its tables that carry a remark → finding. Pure."""

from collections.abc import Mapping

from internal_physics.families.finding import Finding
from internal_physics.ground.words import plural


def flagged_finding(n_rows: Mapping[str, int], n_flagged: Mapping[str, int]) -> Finding | None:
    """How many rows carry a remark that is an alarm, and in which table most of them are; None where none does.

    Args:
        n_rows: rows of each table of the run.
        n_flagged: those of them with such a remark; numbers that do not exist by definition are none.
    """
    total = sum(n_flagged.values())
    if total == 0:
        return None
    most = max(n_flagged, key=lambda name: n_flagged[name])
    sentence = (
        f"{total:,} of {plural(f'{sum(n_rows.values()):,}', 'table row')} carry a remark that says why a number is "
        f"missing or to be read with care, {n_flagged[most]:,} of them in table {most}."
    )
    return Finding(sentence, float(total), float("nan"), float("nan"), 0, "", most)
