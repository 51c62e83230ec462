"""Notes as they stand in a ticket system, and whose they are."""

import re
from typing import Final

from tests.chaos.adapters import Note

_MARK: Final = re.compile(r"\[wk-[0-9a-f]{12}\](?=\s*\Z)")


def note_of(text: str) -> Note:
    """A note that ends with its change's mark, or a person's."""
    found = _MARK.search(text)
    return Note(found[0] if found else "", text)
