# The configuration of a throw-away Request Tracker. Everything that it writes goes into one folder.

my $folder = $ENV{WATCHKEEPER_RT_FOLDER};

$RT::VarPath         = $folder;
$RT::MasonDataDir    = "$folder/mason";
$RT::MasonSessionDir = "$folder/sessions";

Set($rtname,       'watchkeeper-test');
Set($Organization, 'example.com');
Set($Timezone,     'UTC');

Set($WebDomain, '127.0.0.1');
Set($WebPort,   $ENV{WATCHKEEPER_RT_PORT});
Set($WebPath,   '');

Set($DatabaseType, 'SQLite');
Set($DatabaseName, "$folder/rt.db");

# Mail goes into a file of the folder, and nowhere else.
Set($MailCommand, 'mbox');

Set($LogToSyslog, undef);
Set($LogToSTDERR, 'warning');

# Both passwords and tokens are hashed anew with each request; what takes 0.2 s in production would be waited for here.
Set($BcryptCost, 4);

# Problems have a way of their own: what is closed stays closed.
Set(
    %Lifecycles,
    problems => {
        initial     => ['new'],
        active      => ['investigating', 'known error'],
        inactive    => [ 'closed', 'deleted' ],
        defaults    => { on_create => 'new' },
        transitions => {
            ''              => ['new'],
            'new'           => [ 'investigating', 'closed', 'deleted' ],
            'investigating' => [ 'known error',   'closed', 'deleted' ],
            'known error'   => [ 'closed', 'deleted' ],
            'closed'        => ['deleted'],
            'deleted'       => [],
        },
        rights => { '* -> deleted' => 'DeleteTicket', '* -> *' => 'ModifyTicket' },
    },
);

1;
