"""What a misspelt name may have meant."""

import difflib
from collections.abc import Iterable, Mapping


def did_you_mean(
    name: object,
    known: Iterable[object],
    otherwise: str = "",
    cutoff: float = 0.6,
    usual: Mapping[str, str] | None = None,
) -> str:
    """The question "did you mean 'models'?" with the known name that is closest; `otherwise` where none is close.

    Args:
        name: what was given; anything that can be written.
        known: the names that there are.
        otherwise: the advice without a close name.
        cutoff: how close, from 0 to 1, as `difflib.get_close_matches` has it.
        usual: names that other programs use for the known ones, in lower case.
    """
    if usual and (meant := usual.get(str(name).strip().lower())):
        return f"did you mean {meant!r}?"
    close = difflib.get_close_matches(str(name), [str(one) for one in known], n=1, cutoff=cutoff)
    return f"did you mean {close[0]!r}?" if close else otherwise
