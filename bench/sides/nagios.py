"""Nagios Core 4 with check_http."""

import os
import shutil
from collections.abc import Iterator
from urllib.parse import urlsplit

from bench import machine
from bench.sides import Load, Side

_MAIN = """\
cfg_file={folder}/objects.cfg
log_file={folder}/nagios.log
object_cache_file={folder}/objects.cache
precached_object_file={folder}/objects.precache
status_file={folder}/status.dat
state_retention_file={folder}/retention.dat
command_file={folder}/nagios.cmd
lock_file={folder}/nagios.pid
temp_file={folder}/nagios.tmp
temp_path={folder}
log_archive_path={folder}
check_result_path={folder}/results
query_socket={folder}/nagios.qh
nagios_user={user}
nagios_group={user}
interval_length=1
status_update_interval=10
enable_notifications=0
execute_host_checks=0
check_external_commands=0
use_syslog=0
log_initial_states=0
process_performance_data=0
enable_flap_detection=1
low_service_flap_threshold=5.0
high_service_flap_threshold=20.0
retain_state_information=1
retention_update_interval=60
check_result_reaper_frequency=10
cached_service_check_horizon=15
event_broker_options=-1
max_concurrent_checks=0
check_for_updates=0
service_check_timeout=60
illegal_object_name_chars=`~!$%^&*|'"<>?,()=
"""

_COMMON = """\
define timeperiod {{
  timeperiod_name always
  alias always
  sunday 00:00-24:00
  monday 00:00-24:00
  tuesday 00:00-24:00
  wednesday 00:00-24:00
  thursday 00:00-24:00
  friday 00:00-24:00
  saturday 00:00-24:00
}}
define contact {{
  contact_name nobody
  host_notification_period always
  service_notification_period always
  host_notification_options n
  service_notification_options n
  host_notification_commands check
  service_notification_commands check
}}
define command {{
  command_name check
  command_line {plugin} -I $HOSTADDRESS$ -p $ARG1$ -u $ARG2$ -t {timeout} -w 0.9
}}
"""

_HOST = """\
define host {{
  host_name {host}
  address {host}
  max_check_attempts 1
  active_checks_enabled 0
  check_period always
  contacts nobody
  notification_period always
}}
"""

_SERVICE = """\
define service {{
  host_name {host}
  service_description {name}
  check_command check!{port}!{path}
  check_interval {every}
  retry_interval {every}
  max_check_attempts {attempts}
  check_period always
  contacts nobody
  notification_period always
}}
"""


class Nagios(Side):
    """Nagios forks check_http for each check. Down and slow (-w) are judged by the plugin, and must hold for as many
    attempts as the load asks for. No notifications; otherwise as Debian ships it."""

    name = "nagios + check_http"

    def start(self, load: Load) -> None:
        (self.folder / "results").mkdir()
        user = "nagios" if os.getuid() == 0 else "nobody"
        if os.getuid() == 0:
            for path in (self.folder, self.folder / "results"):
                shutil.chown(path, user)
        main = self.folder / "nagios.cfg"
        main.write_text(_MAIN.format(folder=self.folder, user=user))
        (self.folder / "objects.cfg").write_text("".join(_objects(load)))
        self._spawn("process", machine.need("nagios4"), str(main))

    def up(self) -> int:
        """By the status file, which is as old as ten seconds."""
        status = self.folder / "status.dat"
        return status.read_text().count("plugin_output=HTTP OK") if status.exists() else 0


def _objects(load: Load) -> Iterator[str]:
    yield _COMMON.format(plugin=machine.need("check_http"), timeout=load.timeout_s)
    urls = [urlsplit(url) for url in load.urls]
    for host in sorted({url.hostname for url in urls if url.hostname}):
        yield _HOST.format(host=host)
    attempts = 1 + load.hold_s // load.every_s
    for url in urls:
        name = url.path.strip("/").replace("/", "-")
        yield _SERVICE.format(
            host=url.hostname, name=name, port=url.port, path=url.path, every=load.every_s, attempts=attempts
        )
