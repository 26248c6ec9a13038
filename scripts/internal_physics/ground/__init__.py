"""What everything stands on: errors, files, status, seeds, words, job logs, the import closure."""
