"""What a check of a Redis is told."""

from typing import Literal

from pydantic import Field, model_validator

from watchkeeper.schema.base import Model
from watchkeeper.schema.fields import HostPort, SecretRef, Verify


class RedisExpect(Model):
    """What a good answer is."""

    role: Literal["master", "replica"] | None = None
    """What it must be: after a failover, the other is."""


class RedisOptions(Model):
    """A check of a Redis."""

    address: HostPort
    """What is connected to. Of a name with several addresses, one that answers is enough."""
    username: str | None = Field(default=None, min_length=1)
    """Who logs in, where Redis has users (ACL): one that may INFO and PING, and for `key` TYPE, LLEN and the like."""
    password: SecretRef | None = None
    """Where the password is kept. Nobody logs in when this is not set."""
    tls: bool = False
    """Whether it is spoken to by TLS."""
    verify: Verify = True
    """Whether the certificate is verified, or the path of a file with the CA certificates to verify it by."""
    database: int = Field(default=0, ge=0, le=10_000)
    """The number of the database in which keys are counted."""
    key: str | None = Field(default=None, min_length=1, max_length=1000)
    """A key whose length is measured, such as a queue's."""
    expect: RedisExpect = RedisExpect()
    """What a good answer is."""

    @model_validator(mode="after")
    def _has_a_password(self) -> "RedisOptions":
        if self.username is not None and self.password is None:
            raise ValueError("username: a password is required to log in")
        return self
