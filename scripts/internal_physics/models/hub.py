"""Downloads from the Hugging Face hub. The token comes from the environment only and is never written anywhere."""

from pathlib import Path

from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from internal_physics.ground.errors import SourceError
from internal_physics.models.checkpoint import (
    CONFIGS,
    INDEX,
    REMOTE_CODE,
    TOKENIZER_FILES,
    WEIGHTS,
    named_weights,
)
from internal_physics.models.sources import Source

PICKLED = ("pytorch_model*.bin*", "adapter_model.bin")
ADAPTER = "adapter_model.safetensors"


def download(source: Source) -> Path:
    """Fetch the files that loading uses into the hub's own cache (resumable, shared).

    The folder's name is the resolved commit. HF_HUB_OFFLINE is honoured: then only cached files are available.

    Raises:
        SourceError: gated, missing, unknown revision, or unreachable; an index of shards that is damaged.
    """
    small = [*CONFIGS, INDEX, ADAPTER, *TOKENIZER_FILES, *(REMOTE_CODE if source.trust_remote_code else ())]
    folder = _download(source, source.revision, small)
    weights = {path.relative_to(folder).as_posix() for path in named_weights(folder)}
    folder = _download(source, folder.name, sorted(weights | {WEIGHTS}))
    if source.allow_pickle and not named_weights(folder):
        folder = _download(source, folder.name, list(PICKLED))
    return folder


def _download(source: Source, revision: str, patterns: list[str]) -> Path:
    where = f"hf:{source.name}@{source.revision}"
    try:
        return Path(snapshot_download(source.name, revision=revision, allow_patterns=patterns))
    except GatedRepoError as error:
        raise SourceError(
            "the repository is gated",
            where=where,
            todo="ask for access on its page and set HF_TOKEN in the environment",
        ) from error
    except RevisionNotFoundError as error:
        raise SourceError("there is no such revision", where=where, todo="check what follows the @") from error
    except RepositoryNotFoundError as error:
        raise SourceError(
            "there is no such repository, or it is private",
            where=where,
            todo="check the name; set HF_TOKEN for private ones",
        ) from error
    except LocalEntryNotFoundError as error:
        state = (
            "HF_HUB_OFFLINE is set and it is not in the cache"
            if constants.HF_HUB_OFFLINE
            else "the hub cannot be reached"
        )
        raise SourceError(
            state, where=where, todo="fetch it once on a machine with network access, or use a path: source"
        ) from error
    except (HfHubHTTPError, OSError) as error:
        raise SourceError(
            f"the hub did not answer ({type(error).__name__})",
            where=where,
            todo="try again later, or use a path: source",
        ) from error
