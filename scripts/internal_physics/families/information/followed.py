"""The token that is followed along depth on one prompt, and where it is decided: a Lens → one row. No torch.

It is the prompt's answer (of several tokens the first), else the model's own best token.
"""

import math
from collections.abc import Callable

from internal_physics.families.information.followed_names import ANSWER, OWN_TOKEN
from internal_physics.families.information.rows import Lens, Row, settled_layer
from internal_physics.ground.status import OK
from internal_physics.records.trace import Trace

NO_TOKEN = "no token of the model begins the answer: its own best token is followed"
NOT_FINITE = "the readout is not finite"


def followed_row(trace: Trace, lens: Lens, text_of: Callable[[int], str]) -> Row:
    """Columns of table `decided`, but for the key and the kind of the prompt; no answer is "", nothing else NaN."""
    info, has_answer = trace.info, trace.info.answer_id is not None
    final = {name: float(lens.read[name][-1]) for name in ("answer_rank", "answer_probability", "answer_margin_nats")}
    settled = settled_layer(lens.read["answer_rank"])
    is_finite = all(map(math.isfinite, final.values()))
    missing = info.answer is not None and not has_answer
    return {
        "answer": info.answer or "",
        "followed": ANSWER if has_answer else OWN_TOKEN,
        "token": text_of(lens.followed_id) if is_finite else "",
        "n_answer_tokens": info.n_answer_tokens,
        "settled_layer": settled,
        "settled_depth": settled / trace.n_layers,
        "final_rank": final["answer_rank"],
        "final_probability": final["answer_probability"],
        "final_margin_nats": final["answer_margin_nats"],
        "is_correct": float(final["answer_rank"] == 1) if has_answer and is_finite else math.nan,
        "best_token": text_of(int(lens.final_ids[0])) if is_finite else "",
        "best_settled_layer": settled_layer(lens.read["final_token_rank"]),
        "status": NOT_FINITE if not is_finite else NO_TOKEN if missing else OK,
    }
