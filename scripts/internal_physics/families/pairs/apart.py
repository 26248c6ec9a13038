"""Which models the rows of table `model_pairs` tell apart, and whether one is told apart from all others. Pure."""

from collections.abc import Mapping

import pandas as pd

Place = tuple[str, str, str]  # prompt set, condition, metric
_PLACE = ["prompt_set", "condition", "metric"]


def fewest_prompts(significance: float) -> int:
    """Smallest number of prompts with which a sign-flip p-value can be below the significance: 6 for 0.05."""
    return next(n for n in range(2, 100) if 2.0 ** (1 - n) < significance)


def significance_of(confidence_level: float) -> float:
    """The significance that belongs to intervals of this level: 0.05 for 0.95."""
    return round(1 - confidence_level, 12)


class Apart:
    """The pairs whose difference chance does not explain.

    Args:
        model_pairs: the table; empty where no two models were compared.
        significance: largest adjusted p that tells two models apart; 0.05 for intervals of 95 %.
    """

    def __init__(self, model_pairs: pd.DataFrame, significance: float) -> None:
        self.significance = significance
        self._models: dict[Place, dict[str, None]] = {}
        self._smaller: dict[Place, set[tuple[str, str]]] = {}
        self._tested: set[Place] = set()
        for row in model_pairs.itertuples():
            place = (row.prompt_set, row.condition, row.metric)
            models = (row.reference, row.model)
            self._models.setdefault(place, {}).update(dict.fromkeys(models))
            if row.p_adjusted == row.p_adjusted:
                self._tested.add(place)
            if row.p_adjusted < significance and row.difference != 0:
                smaller_first = models if row.difference > 0 else models[::-1]
                self._smaller.setdefault(place, set()).add(smaller_first)

    def is_tested(self, place: Place) -> bool:
        """Whether any two models were tested here; ISF, one number of a set, never is."""
        return place in self._tested

    def n_pairs(self, place: Place) -> int:
        """Pairs of models that were compared here."""
        n = len(self._models.get(place, ()))
        return n * (n - 1) // 2

    def n_apart(self, place: Place) -> int:
        """Pairs of models that are told apart here."""
        return len(self._smaller.get(place, ()))

    def smallest(self, place: Place) -> str | None:
        """The model whose value is below that of every other model and told apart from it; None if there is none."""
        models, smaller = self._models.get(place, {}), self._smaller.get(place, set())
        found = [m for m in models if all((m, other) in smaller for other in models if other != m)]
        return found[0] if found and len(models) > 1 else None

    def others(self, place: Place) -> Mapping[str, list[str]]:
        """Each model here, and the models that it is told apart from."""
        pairs = self._smaller.get(place, set())
        return {
            model: [other for other in self._models[place] if {(model, other), (other, model)} & pairs]
            for model in self._models.get(place, {})
        }
