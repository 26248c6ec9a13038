"""Errors for the user: what is wrong, where, what was expected, what to do next."""

SEE_ARCHITECTURES = "nothing was recorded; docs/architectures.md lists the architectures that work"


class UserError(Exception):
    """A problem the user can fix. It is shown as plain sentences, without a traceback.

    Args:
        what: the problem, in one sentence.
        where: the place: a path in the config, a file, a model or a prompt.
        expected: what was expected instead.
        todo: what to do next.
    """

    def __init__(self, what: str, *, where: str = "", expected: str = "", todo: str = "") -> None:
        self.what, self.where, self.expected, self.todo = what, where, expected, todo
        lines = [f"{where}: {what}" if where else what]
        lines += [f"  expected: {expected}"] if expected else []
        lines += [f"  what to do: {todo}"] if todo else []
        super().__init__("\n".join(lines))


class ConfigError(UserError):
    """The config cannot be run as it is."""


class PromptError(UserError):
    """A prompt or a prompt set cannot be used."""


class SourceError(UserError):
    """A model cannot be fetched, or is not the expected one."""


class ModelError(UserError):
    """A snapshot cannot be loaded, or does not fit in memory."""


class ArchitectureError(UserError):
    """The self-check of a model's anatomy fails; nothing is recorded from it.

    Where a message has no better advice, it leads to the page that lists which architectures work.
    """

    def __init__(self, what: str, *, where: str = "", expected: str = "", todo: str = "") -> None:
        super().__init__(what, where=where, expected=expected, todo=todo or SEE_ARCHITECTURES)


class StoreError(UserError):
    """A Parquet file is truncated, foreign, or lacks what was asked for."""
