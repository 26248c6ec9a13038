"""Labels for probes against reachability by enumeration (T9)."""

import numpy as np
from internal_physics.lab.data.reasoning.labels import distances, labels_of
from internal_physics.lab.data.reasoning.problem import Solution, back
from internal_physics.lab.data.reasoning.solve import level_0_solution, level_1_solution
from reasoning_problems import MODULUS, paths_exist, random_problem


def test_needed_and_depends_are_reachability():
    draws = np.random.default_rng(0)
    for _ in range(100):
        problem = random_problem(int(draws.integers(1, 10)), draws)
        labels = labels_of(problem, level_1_solution(problem, draws))
        paths = paths_exist(problem)
        assert (labels.depends == paths).all() and not labels.depends.diagonal().any()
        assert (labels.needed == (paths[problem.query] | (np.arange(len(problem)) == problem.query))).all()


def test_labels_of_every_step_are_those_of_a_loop_over_sets():
    draws = np.random.default_rng(1)
    for _ in range(100):
        problem = random_problem(8, draws)
        make = level_0_solution if draws.random() < 0.5 else level_1_solution
        solution = make(problem, draws)
        at = int(draws.integers(len(solution.steps)))
        solution = Solution((*solution.steps[:at], back(int(draws.integers(8))), *solution.steps[at:]))
        labels = labels_of(problem, solution)
        assert labels.known.shape == (len(solution.steps) + 1, 8)
        for row in range(len(solution.steps) + 1):
            done = {step.parameter for step in solution.steps[:row] if not step.is_back}
            for parameter in range(8):
                ready = parameter not in done and problem.dependencies[parameter] <= done
                value = problem.values[parameter] if parameter in done else MODULUS
                assert labels.known[row, parameter] == (parameter in done)
                assert labels.value_or_modulus[row, parameter] == value
                assert labels.can_be_next[row, parameter] == ready
                assert labels.needed_next[row, parameter] == (ready and parameter in problem.needed)


def test_every_next_step_of_a_gold_solution_can_be_next():
    draws = np.random.default_rng(2)
    for _ in range(50):
        problem = random_problem(8, draws)
        solution = level_1_solution(problem, draws)
        labels = labels_of(problem, solution)
        rows = np.arange(len(solution.steps))
        assert labels.needed_next[rows, list(solution.computed)].all()
        assert not labels.needed_next[-1].any()  # nothing is left


def test_distances_are_the_lengths_of_shortest_paths():
    draws = np.random.default_rng(3)
    for _ in range(50):
        problem = random_problem(8, draws)
        reached, expected = np.arange(8) == problem.query, np.full(8, -1)
        for steps in range(8):
            expected[reached & (expected < 0)] = steps
            reached = np.array([any(a in problem.dependencies[b] for b in np.flatnonzero(reached)) for a in range(8)])
        assert (distances(problem) == expected).all()
