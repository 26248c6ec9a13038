"""What a record and table `models` say of the weights whose gradients are not recorded."""

from internal_physics.models.coverage import EVERYTHING, Coverage, in_words


def test_a_model_that_is_covered_whole_names_nothing():
    assert EVERYTHING.labels() == {"weights_covered_share": 1.0, "weights_not_covered": ""}


def test_weights_of_all_blocks_are_named_once_with_their_number():
    names = [f"model.layers.{layer}.mlp.wonder.weight" for layer in range(11)]
    found = Coverage(partial=(*names, "projection.weight"), unreached=("pooler.weight",), share=0.25).labels()
    assert found["weights_covered_share"] == 0.25
    assert found["weights_not_covered"] == "model.layers.*.mlp.wonder.weight (11), projection.weight, pooler.weight"
    assert in_words(["layers.3.wonder.weight"]) == "layers.*.wonder.weight (1)"
