"""Table `prompts_read` for made-up rows of metrics."""

from internal_physics.tables.keys import PROMPT_OF_MODEL_KEY


def prompts_read_of(rows, **notes):
    """The prompts that the rows are about, each with a text; of kind factual, without an answer, unless said."""
    known = rows.loc[rows["prompt"].notna(), PROMPT_OF_MODEL_KEY].drop_duplicates()
    told = {"text": "A text", "kind": "factual", "difficulty": None, "answer": None, "n_tokens": 3, "tokens": "A| text"}
    told |= {"target": "loss", "target_token": None}
    return known.assign(**(told | notes), status="ok").reset_index(drop=True)
