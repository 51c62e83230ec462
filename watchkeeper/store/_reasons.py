"""What a database's errors mean to the person who reads them, and what to do about them."""

from pathlib import Path
from typing import Final

MAKING = "`watchkeeper db upgrade` makes it, and so does the first `watchkeeper run`"
_UPGRADE: Final = "Bring it to this version with `watchkeeper db upgrade`"


def of_sqlite(file: Path, error: BaseException) -> str:
    """One sentence or two on an error of SQLite."""
    said = " ".join(str(error).split()) or "no reason given"
    code = getattr(error, "sqlite_errorname", "") or ""
    match code.split("_")[1:]:
        case ["NOTADB" | "CORRUPT", *_]:
            return (
                f"the database {file} is damaged, or no SQLite database at all ({said}). Nothing was changed. "
                "Move it away and restore a backup, or start with a new one"
            )
        case ["CANTOPEN", *_]:
            return _unopened(file, said)
        case ["READONLY" | "PERM" | "AUTH", *_]:
            return (
                f"the database {file} can not be written ({said}). "
                "Check the owner and mode of the file, of its -wal and -shm files, and of its folder"
            )
        case ["BUSY" | "LOCKED", *_]:
            return f"the database {file} is in use by another process for too long ({said})"
        case ["FULL", *_]:
            return f"there is no room left for the database {file} ({said})"
        case ["IOERR", *_]:
            return f"the disk under the database {file} fails or is full ({said}, {code})"
        case ["CONSTRAINT", *_]:
            return f"the database {file} refuses what contradicts it: {said}"
    if said.startswith(("no such table", "no such column")) or "has no column" in said:
        return f"the database {file} does not have this version's schema ({said}). {_UPGRADE}"
    return f"the database {file} failed: {said}"


def _unopened(file: Path, said: str) -> str:
    try:
        file.stat()
    except FileNotFoundError:
        return f"there is no database {file} yet: {MAKING}"
    except OSError as error:
        said = error.strerror or said
    return f"the database {file} can not be opened ({said}). Check the owner and mode of the file and its folder"


# What libpq tells when a connection is refused: it has no codes for it, only the server's words.
_NO_ENTRY: Final = (
    "password authentication failed",
    "no password supplied",
    "no pg_hba.conf entry",
    "Peer authentication failed",
    "FATAL: role ",
)


def of_postgresql(name: str, error: BaseException, secret: str | None) -> str:
    """One sentence or two on an error of PostgreSQL, without the password."""
    said = " ".join(str(error).split()) or "no reason given"
    if secret:
        said = said.replace(secret, "***")
    # Of what failed before there was a session there is no code.
    code = getattr(error, "sqlstate", None) or ""
    if code == "3D000" or ('FATAL: database "' in said and "does not exist" in said):
        return f"there is no database {name} on the server. Make it with `createdb`, or correct `state` ({said})"
    if code.startswith("28") or (not code and any(words in said for words in _NO_ENTRY)):
        return f"the database {name} refuses the user or the password. Correct `state` ({said})"
    if code in {"42P01", "42703"}:
        return f"the database {name} does not have this version's schema ({said}). {_UPGRADE}"
    if code == "42501":
        return f"the database {name} does not permit this: {said}. Grant the user CREATE on the schema"
    match code[:2]:
        case "53":
            return f"there is no room left for the database {name}, or it has too many connections ({said})"
        case "23":
            return f"the database {name} refuses what contradicts it: {said}"
        case "40" | "55":
            return f"the database {name} is in use by another process for too long ({said})"
        case "" | "08" | "57":
            return f"the database {name} does not answer: {said}. Check that it runs, and its address in `state`"
    return f"the database {name} failed: {said}"
