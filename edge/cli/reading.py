"""The config of a run that watches cameras, read again when somebody asks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path

from edge.cli.redact import Redactor
from edge.config import Config
from edge.config.revision import file_rev
from edge.errors import EdgeError
from edge.web.status import Taken

log = logging.getLogger("edge.run")


@dataclass(slots=True)
class Reading:
    """Where a config comes from, and what of it counts.

    Attributes:
        load: the config as it is now.
        file: it stands in; None: on the command line alone.
        secrets: known so far.
        taken: what counts; of the file as it was before it was read.
    """

    load: Callable[[], Config]
    file: Path | None
    secrets: Collection[str]
    taken: Taken

    def again(self, apply: Callable[[Config], None]) -> None:
        """Load and apply; what is refused is said, and what counts goes on."""
        revision = file_rev(self.file)
        try:
            config = self.load()
            apply(config)
        except EdgeError as error:
            for line in str(error).splitlines():
                log.error("config not taken: %s", line)
            self.taken = replace(self.taken, refused=revision, why=self._shown(str(error)))
        else:
            log.info("config read again: %d cameras", len(config.cameras))
            self.taken = Taken(revision)

    def _shown(self, text: str) -> str:
        """A message as the page may have it: no secrets, no folders."""
        if self.file is not None:
            text = text.replace(str(self.file), self.file.name)
        return Redactor(self.secrets).text(text)
