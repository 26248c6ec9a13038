import numpy as np
import pytest
from internal_physics.ground.errors import ConfigError
from internal_physics.lab.data.batches import generator, predict_all
from internal_physics.lab.data.vocabulary import END, END_ID, PADDING, PADDING_ID, Vocabulary


class TestVocabulary:
    def test_special_words_come_first_and_a_word_is_its_place(self):
        vocabulary = Vocabulary.of(["red", "green"])
        assert vocabulary.words([END_ID, PADDING_ID, 2, 3]) == [END, PADDING, "red", "green"]
        assert len(vocabulary) == 4

    def test_ids_and_words_are_inverse(self):
        vocabulary = Vocabulary.of(f"w{i}" for i in range(50))
        ids = np.random.default_rng(0).integers(0, len(vocabulary), 200)
        assert np.array_equal(vocabulary.ids(vocabulary.words(ids)), ids)
        assert vocabulary.ids([]).shape == (0,)
        assert vocabulary.ids(["w3"]).dtype == np.int64

    @pytest.mark.parametrize(
        ("words", "said"),
        [(["a", "b", "a"], "'a' is there twice"), (["two words"], "is not one word"), ([""], "is not one word")],
    )
    def test_words_that_a_tokenizer_could_not_tell_apart_are_refused(self, words, said):
        with pytest.raises(ConfigError, match=said):
            Vocabulary.of(words)

    def test_a_vocabulary_without_special_words_is_refused(self):
        with pytest.raises(ConfigError, match="begins with"):
            Vocabulary(("a", "b", "c"))

    def test_unknown_words_and_ids_are_refused(self):
        vocabulary = Vocabulary.of(["red"])
        with pytest.raises(ConfigError, match="'blue' is not in the vocabulary"):
            vocabulary.ids(["red", "blue"])
        with pytest.raises(ConfigError, match="id 3 "):
            vocabulary.words([3])
        with pytest.raises(ConfigError, match="id -1 "):
            vocabulary.words([-1])


class TestBatches:
    def test_every_token_but_the_first_and_padding_is_predicted(self):
        batch = predict_all(np.array([[END_ID, 5, END_ID, PADDING_ID], [END_ID, 6, 7, END_ID]]))
        assert batch.loss_weights.tolist() == [[0, 1, 1, 0], [0, 1, 1, 1]]
        assert batch.loss_weights.dtype == np.float32
        assert batch.tokens.dtype == np.int64

    def test_draws_depend_on_seed_and_purpose_only(self):
        first = generator(3, "names", "7").random(4)
        generator(3, "values", "7").random(100)
        assert np.array_equal(generator(3, "names", "7").random(4), first)
        assert not np.array_equal(generator(4, "names", "7").random(4), first)
        assert not np.array_equal(generator(3, "names", "8").random(4), first)
