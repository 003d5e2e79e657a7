complete -c sockstrace -s e -d 'Pick calls, statuses, signals and more; see "Expressions" below. May be repeated' -r
complete -c sockstrace -s S -l summary-sort-by -d 'Order that table by time, min-time, max-time, avg-time, calls, errors, bytes or name' -r -f -a "time\t'Time in all'
min-time\t'The shortest call'
max-time\t'The longest call'
avg-time\t'Time per call'
calls\t'How many'
errors\t'How many failed'
bytes\t'Bytes sent and received'
name\t'The call\'s name; also where strace is told not to sort'"
complete -c sockstrace -s s -l string-limit -d 'Show this many bytes of data' -r
complete -c sockstrace -l strings-in-hex -d 'As -x; OPTION is none, non-ascii-chars, non-ascii or all' -r
complete -c sockstrace -l color -d 'Use colours: auto (on a terminal), always or never' -r -f -a "auto\t'Where the output is a terminal'
always\t'Always'
never\t'Never'"
complete -c sockstrace -l kernel -d 'Show below each call what the kernel says of its socket: TCP\'s state, queues, round-trip time, what was sent again' -r -f -a "ends\t'Where a connection begins and ends'
calls\t'After every call'
never\t'Never'"
complete -c sockstrace -l library -d 'Show the C library\'s socket functions around the calls that they make, and the time in between' -r -f -a "calls\t'The C library\'s socket functions too'
never\t'None: no breakpoint is set'"
complete -c sockstrace -l overview -d 'Sum up at the end whom the program talked to, and where the time went; =only: show nothing else' -r -f -a "only\t''
also\t''"
complete -c sockstrace -l findings -d 'Say what a person should look at: error, all or none' -r -f -a "error\t'Errors'
all\t'Notes too, and all of them'
none\t'None'"
complete -c sockstrace -l absolute-timestamps -d 'As -t; FORMAT is none, time or unix, and a precision s, ms, us or ns after a comma' -r
complete -c sockstrace -l relative-timestamps -d 'As -r, with a precision' -r
complete -c sockstrace -l syscall-times -d 'As -T, with a precision' -r
complete -c sockstrace -s o -l output -d 'Write the trace to FILE, or to the input of \'|COMMAND\', in place of standard error' -r -F
complete -c sockstrace -l json -d 'Write the trace as lines of JSON, to FILE, or in place of the text' -r -F
complete -c sockstrace -l json-types -d 'Write only lines of these types, as in --json-types=call,process,exit' -r -f -a "call\t''
waiting\t''
process\t''
notice\t''
connected\t''
still-waiting\t''
kernel\t''
library\t''
clear\t''
conversation\t''
name\t''
finding\t''
exit\t''"
complete -c sockstrace -l record -d 'Record all that is seen, with all data, to FILE for --replay' -r -F
complete -c sockstrace -l rotate -d 'Begin another file when one has reached SIZE, such as 100M' -r
complete -c sockstrace -l label -d 'Put KEY=VALUE into the header of --json and --record; may be repeated' -r
complete -c sockstrace -s E -l env -d 'Run the program with VAR set, or without VAR; may be repeated' -r
complete -c sockstrace -s u -l user -d 'Run the program as USER, with that user\'s groups; only root may' -r -f -a "(__fish_complete_users)"
complete -c sockstrace -l engine -d 'How calls are seen: auto, stop (no recorder), record, number (by kind), syscall (slowest)' -r -f -a "auto\t'The best that works here'
stop\t'Filters that grow with the sockets, and no recorder'
record\t'The recorder for every call that it can take, from the first one on'
number\t'A seccomp filter that picks calls by their number'
syscall\t'PTRACE_SYSCALL: every call stops'"
complete -c sockstrace -l replay -d 'Show again the trace that --record or --json wrote to FILE' -r -F
complete -c sockstrace -s v -l no-abbrev -d 'Show every call: nothing folded, hidden or abbreviated'
complete -c sockstrace -l all-descriptors -d 'Show files and pipes too, with their paths'
complete -c sockstrace -s z -l successful-only -d 'Show only calls that succeed'
complete -c sockstrace -s Z -l failed-only -d 'Show only calls that fail'
complete -c sockstrace -s q -d 'Leave out messages about tracing; -qq: about ended processes too; -qqq: all messages'
complete -c sockstrace -s c -l summary-only -d 'Show a table of calls, errors, times and bytes in place of the trace'
complete -c sockstrace -s C -l summary -d 'Show the trace, and then that table'
complete -c sockstrace -s x -d 'Write strings in hex where they hold more than ASCII text; -xx: all strings'
complete -c sockstrace -l hex -d 'Dump all data in full, in hex and as text, below its call'
complete -c sockstrace -l no-tls -d 'Leave TLS libraries alone: what passes by TLS stays closed'
complete -c sockstrace -l no-overview -d 'Sum up nothing at the end, on a terminal either'
complete -c sockstrace -l always-show-pid -d 'Say which process made the call even while there is only one'
complete -c sockstrace -s t -d 'Begin lines with the time of day; -tt: with microseconds; -ttt: seconds since 1970'
complete -c sockstrace -s r -d 'Begin lines with the time since the line before'
complete -c sockstrace -s T -d 'Show the time spent in each call behind its result, <0.000123>'
complete -c sockstrace -s A -l output-append-mode -d 'Append to FILE, in place of writing it anew'
complete -c sockstrace -l output-separately -d 'Write each process\'s trace to its own FILE.PID; also -ff'
complete -c sockstrace -l full-data -d 'Write to --json all data, not as much as -s says'
complete -c sockstrace -l no-data -d 'Keep what is sent and received out of every output; sizes remain'
complete -c sockstrace -l show-secrets -d 'Show passwords, cookies, tokens and keys, which are masked otherwise'
complete -c sockstrace -s f -l follow-forks -d 'Follow the processes that the program starts (always on); -ff: with -o, a file for each'
complete -c sockstrace -l no-follow -d 'Show only the program\'s own process, not those that it starts'
complete -c sockstrace -l no-wait -d 'End when the program ends, even where processes that it started still run'
complete -c sockstrace -l no-io-uring -d 'Let io_uring_setup fail with ENOSYS, so that the program makes calls that can be seen'
complete -c sockstrace -s d -l debug-engine -d 'Say how calls are stopped, and how many stops and filters that took'
complete -c sockstrace -l demo -d 'Show a whole connection, from name to close, with an explanation; needs no network'
complete -c sockstrace -s h -d 'Show the most used options'
complete -c sockstrace -l help -d 'Show all options'
complete -c sockstrace -s V -l version -d 'Show the version'
complete -c sockstrace -x -a '(__fish_complete_subcommand)'
