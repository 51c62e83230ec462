"""What all tests share: a test that needs something this machine lacks skips with a reason, and never in CI."""

import os

import pytest

REQUIRE_ALL = os.environ.get("WATCHKEEPER_REQUIRE_ALL") == "1"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):  # type: ignore[no-untyped-def]
    """Where everything must run, a skip is a failure that says what is missing."""
    report = yield
    if REQUIRE_ALL and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be skipped: {report.longrepr}"
    return report
