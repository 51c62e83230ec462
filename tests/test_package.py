"""The package as it is installed."""

from importlib.metadata import version
from importlib.resources import files

import watchkeeper


def test_its_version_is_the_same_in_code_and_metadata() -> None:
    assert version("watchkeeper") == watchkeeper.__version__


def test_it_tells_type_checkers_that_it_is_typed() -> None:
    assert files(watchkeeper).joinpath("py.typed").is_file()
