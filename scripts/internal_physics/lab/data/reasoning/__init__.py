"""Problems of grade-school arithmetic with known dependencies: problems, solutions, their check, labels and retries."""
