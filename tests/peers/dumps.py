"""Real PostgreSQL dumps of one database in every format, made when first wanted, gone at exit."""

import atexit
import gzip
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from tests.peers import postgres
from tests.peers.restic import HOUR
from tests.probers.asking import NOW_MS


@cache
def made() -> Path:
    """The folder of the dumps. Skips the test where there is no PostgreSQL.

    Each holds 1000 orders, the newest of which is three hours old, and an empty table. Of shop-1.dump and
    shop-2.dump the second is newer, an hour old.
    """
    folder = Path(tempfile.mkdtemp(prefix="wk-dumps-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with postgres.own_cluster() as cluster:
        cluster.run_sql("CREATE DATABASE shop")
        newest = NOW_MS / 1000 - 3 * HOUR
        cluster.run_sql(
            "CREATE TABLE orders (id int PRIMARY KEY, amount numeric NOT NULL, ordered_at timestamptz NOT NULL);"
            f"INSERT INTO orders SELECT i, i, to_timestamp({newest} - 1000 + i) FROM generate_series(1, 1000) i;"
            "CREATE SCHEMA sales; CREATE TABLE sales.empty (id int)",
            "shop",
        )

        def dump(name: str, *how: str, program: str = "pg_dump") -> Path:
            command = [program, *how, "-f", str(folder / name), "-d", cluster.url("shop")]
            environment = {**os.environ, "PGPASSWORD": postgres.PASSWORD}
            subprocess.run(command, check=True, capture_output=True, env=environment)
            return folder / name

        for number, age_h in ((1, 25), (2, 1)):
            written = NOW_MS / 1000 - age_h * HOUR
            os.utime(dump(f"shop-{number}.dump", "-Fc"), (written, written))
        dump("shop.tar", "-Ft")
        dump("shop.dir", "-Fd")
        dump("all.sql", program="pg_dumpall")
        plain = dump("shop.sql", "-Fp")
    (folder / "shop.sql.gz").write_bytes(gzip.compress(plain.read_bytes()))
    subprocess.run(["zstd", "-q", plain, "-o", folder / "shop.sql.zst"], check=True)
    return folder
