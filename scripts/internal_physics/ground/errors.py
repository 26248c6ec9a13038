"""Errors that speak to the user: what was found, where, what was expected, what to do next."""


class UserError(Exception):
    """A problem the user can mend. Shown as plain sentences, without a traceback.

    Args:
        what: what was found, in one sentence.
        where: the place: a path in the config, a file, a model or a prompt.
        expected: what would have been right.
        todo: what to do next.
    """

    def __init__(self, what: str, *, where: str = "", expected: str = "", todo: str = "") -> None:
        self.what, self.where, self.expected, self.todo = what, where, expected, todo
        lines = [f"{where}: {what}" if where else what]
        lines += [f"  expected: {expected}"] if expected else []
        lines += [f"  what to do: {todo}"] if todo else []
        super().__init__("\n".join(lines))


class ConfigError(UserError):
    """The config does not say something the workflow can run."""


class PromptError(UserError):
    """A prompt or a prompt set cannot be used."""


class SourceError(UserError):
    """A model cannot be fetched, or is not what it should be."""


class ModelError(UserError):
    """A snapshot cannot be loaded, or does not fit."""


class ArchitectureError(UserError):
    """The anatomy of a model does not check out; nothing is recorded from it."""


class StoreError(UserError):
    """A Parquet file is truncated, foreign, or lacks what was asked for."""
