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
from internal_physics.models.snapshot import KEPT
from internal_physics.models.sources import Source


def download(source: Source) -> Path:
    """Fetch a repository into the hub's own cache (resumable, shared); the folder's name is the resolved commit.

    HF_HUB_OFFLINE is honoured: then only what the cache holds can be had.

    Raises:
        SourceError: gated, missing, unknown revision, or out of reach.
    """
    where = f"hf:{source.name}@{source.revision}"
    patterns = [*KEPT, *(["*.bin"] if source.allow_pickle else [])]
    try:
        return Path(snapshot_download(source.name, revision=source.revision, allow_patterns=patterns))
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
