"""All kinds of files that are fuzzed."""

from fuzz_adapters import KINDS as ADAPTERS
from fuzz_checkpoints import KINDS as CHECKPOINTS
from fuzz_directions import KINDS as DIRECTIONS
from fuzz_records import KINDS as RECORDS
from fuzz_texts import KINDS as TEXTS

KINDS = (*TEXTS, *RECORDS, *DIRECTIONS, *CHECKPOINTS, *ADAPTERS)
