"""Prompts become token ids, or are refused before the first pass: too long, too short, invalid masks and answers."""

import pytest
from internal_physics.config.prompts import Prompt
from internal_physics.ground.errors import PromptError
from internal_physics.recording.encoding import MASK, encode
from tiny_models import CHARACTERS, VOCABULARY, build_tokenizer


@pytest.fixture(scope="module")
def causal():
    return build_tokenizer()


@pytest.fixture(scope="module")
def masked():
    return build_tokenizer(masked=True)


def ids(text):
    return tuple(VOCABULARY.index(character) for character in text)


def refused(*arguments):
    with pytest.raises(PromptError) as error:
        encode(*arguments)
    return error.value


class TestCausal:
    def test_ids_and_tokens_of_the_text(self, causal):
        prompt = Prompt("p", "to be 2b")
        found = encode(prompt, causal, "causal", 64)
        assert found.prompt is prompt
        assert found.ids == ids("to be 2b")
        assert found.tokens == tuple("to be 2b")
        assert found.answer is None

    def test_the_last_token_is_read(self, causal):
        assert encode(Prompt("p", "abc"), causal, "causal", 64).read_position == 2

    def test_a_mask_in_a_causal_prompt_is_text_like_any_other(self, causal):
        assert len(encode(Prompt("p", f"a{MASK}"), causal, "causal", 64).ids) > 1

    @pytest.mark.parametrize(("text", "n"), [("a", 1), ("?", 1)])
    def test_a_single_token_has_no_loss(self, causal, text, n):
        error = refused(Prompt("short", text), causal, "causal", 64)
        assert error.what == f"{n} token: there is no next token to predict, so no loss"
        assert error.where == f"prompt 'short' ({text!r})"
        assert error.expected == "at least 2 tokens"
        assert error.todo == "lengthen it, or set record.target to logit or log_probability"

    def test_two_tokens_are_enough(self, causal):
        assert encode(Prompt("p", "ab"), causal, "causal", 64).read_position == 1

    def test_the_context_may_be_filled_to_its_end(self, causal):
        assert len(encode(Prompt("p", "a" * 64), causal, "causal", 64).ids) == 64

    @pytest.mark.parametrize("task", ["causal", "masked"])
    def test_a_text_longer_than_the_context_is_refused_with_both_lengths(self, causal, task):
        error = refused(Prompt("long", "a" * 65), causal, task, 64)
        assert error.what == "65 tokens"
        assert error.where == f"prompt 'long' ({'a' * 60 + '…'!r})"
        assert error.expected == "at most 64, the model's context"
        assert error.todo == "shorten it"

    def test_without_a_limit_any_length_is_accepted(self, causal):
        assert len(encode(Prompt("p", "a" * 5000), causal, "causal", None).ids) == 5000

    def test_every_character_is_one_token(self, causal):
        assert len(encode(Prompt("p", CHARACTERS), causal, "causal", None).ids) == len(CHARACTERS)


class TestMasked:
    def test_the_gap_is_read_between_special_tokens(self, masked):
        found = encode(Prompt("p", f"a {MASK}."), masked, "masked", 64)
        assert found.tokens == ("[CLS]", "a", " ", "[MASK]", ".", "[SEP]")
        assert found.read_position == 3
        assert found.answer is None

    def test_the_gap_is_written_alike_for_every_tokenizer(self, masked):
        tokenizer = build_tokenizer(masked=True)
        tokenizer.mask_token = "#"
        tokenizer.add_special_tokens({"mask_token": "<mask>"})
        found = encode(Prompt("p", f"a{MASK}b"), tokenizer, "masked", 64)
        assert found.tokens[found.read_position] == "<mask>"

    def test_an_answer_of_one_token(self, masked):
        found = encode(Prompt("p", f"a{MASK}", answer="b"), masked, "masked", 64)
        assert (found.answer,) == ids("b")

    @pytest.mark.parametrize("answer", ["bc", ""])
    def test_an_answer_of_several_or_no_tokens_is_refused(self, masked, answer):
        error = refused(Prompt("p", f"a{MASK}", answer=answer), masked, "masked", 64)
        assert error.what == f"the answer {answer!r} is {len(answer)} tokens"
        assert error.where == f"prompt 'p' ('a{MASK}')"
        assert error.expected == "an answer of one token"

    @pytest.mark.parametrize("n_masks", [0, 2, 3])
    def test_no_gap_or_several_gaps_are_refused(self, masked, n_masks):
        error = refused(Prompt("p", "a" + MASK * n_masks), masked, "masked", 64)
        assert error.what == f"{n_masks} masks"
        assert error.where == f"prompt 'p' ({'a' + MASK * n_masks!r})"
        assert error.expected == f"exactly one {MASK}"
        assert error.todo == f"write the gap as {MASK}"

    def test_a_gap_alone_is_enough(self, masked):
        assert encode(Prompt("p", MASK), masked, "masked", 64).read_position == 1
