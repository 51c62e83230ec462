"""`watchkeeper schema`: the JSON Schema of the configuration files."""

import json
from pathlib import Path

import click

from watchkeeper.cli._options import UNREACHABLE, fail
from watchkeeper.cli._output import print_json

_FILES = ("watchkeeper", "probes", "rules", "ruletests", "services", "changes")


@click.command("schema")
@click.argument("file", type=click.Choice(_FILES), default="watchkeeper")
@click.option(
    "--write",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write all of them into this folder, as FILE.schema.json.",
)
def command(file: str, folder: Path | None) -> None:
    """Print the JSON Schema of the configuration files.

    FILE is the kind of file: watchkeeper (the daemon's), probes, rules, ruletests, services or changes. An editor
    that is pointed at a schema completes keys, explains them and marks mistakes.
    """
    from watchkeeper.app.parts import catalogue
    from watchkeeper.config.jsonschema import schemas

    found = schemas(catalogue())
    if folder is None:
        print_json(found[file])
        return
    for name, schema in found.items():
        target = folder / f"{name}.schema.json"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            target.write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        except OSError as error:
            fail(f"watchkeeper: {target} can not be written: {error.strerror}", UNREACHABLE)
        click.echo(target)
