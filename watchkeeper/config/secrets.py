"""Secrets that the daemon asks others for, and that are not where the configuration says they are: with them missing,
it refuses everybody."""

from collections.abc import Iterator
from dataclasses import dataclass

from watchkeeper.config.document import Path_
from watchkeeper.config.load import Config
from watchkeeper.schema.fields import Secret, SecretUnavailable


@dataclass(frozen=True, slots=True)
class MissingSecret:
    """`path`: where in the daemon's file it is named. `why` it can not be used."""

    path: Path_
    why: str

    @property
    def name(self) -> str:
        """As people write it: `web.token`."""
        return ".".join(map(str, self.path))


def missing_secrets(config: Config) -> Iterator[MissingSecret]:
    """Of the tokens that whoever sends something must show, those that are not there now. Reads files."""
    named: dict[Path_, Secret] = {("sources", name, "token"): one.token for name, one in config.sources.items()}
    if config.token is not None:
        named["web", "token"] = config.token
    for path, secret in named.items():
        try:
            if not secret.reveal().strip():
                yield MissingSecret(path, f"{secret.name} is empty")
        except SecretUnavailable as error:
            yield MissingSecret(path, str(error))
