"""What everything else builds on: errors, files, status, seeds, words, job logs, the import closure."""
