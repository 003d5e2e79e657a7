//! The help texts that are written by hand.

/// `-h`: the most used options, within 24 lines and 80 columns.
pub(super) const SHORT: &str = "\
sockstrace runs a program and shows every call that it makes to the network.

Usage: sockstrace [OPTIONS] PROGRAM [ARGS]...   as: sockstrace curl example.com
       sockstrace --demo                          a whole connection, explained

  -o FILE       write the trace to FILE, or to '|COMMAND'; otherwise to stderr
  --json[=FILE] the trace as lines of JSON
  --record=FILE keep all that is seen; --replay FILE shows it again
  -e EXPR       only some calls: -e connect,close  -e '!poll'  -e %network
  -v            show every call, nothing folded or hidden
  -z, -Z        only calls that succeed, that fail
  -c, -C        a table of calls in place of the trace, after it
  -s BYTES      how much data to show (48)    -x, -xx, --hex   data in hex
  -t, -tt, -ttt the time of day on each line  -r   time since the line before
  -T            time spent in each call       -q   fewer messages
  --all-descriptors    files and pipes too
  --no-follow          not the processes that the program starts
  --no-wait            end with the program, not with its last child
  --no-io-uring        make io_uring fail, so that its work becomes visible
  -u USER  -E VAR=VAL  the program's user and environment
  --color WHEN         auto, always, never

--help shows all options, man sockstrace tells the rest. strace's options work.
";

/// What `--help` says below the options.
pub(super) const EXPRESSIONS: &str = "\
Expressions of -e, each also a long option, as in --trace=SET:
  trace=SET     show these calls: names, classes (%network) and /REGEX, joined
                by commas; after ! all others. -e SET means this too
  status=SET    show calls that ended so: successful, failed, unfinished
  signal=SET    show these signals
  quiet=SET     leave out messages: attach, exit, thread-execve
  read=SET      dump in full what comes in by these descriptors
  write=SET     dump in full what goes out by these descriptors
  raw=SET       show the arguments of these calls as numbers

strace's other options work, are always on, or say what there is instead.";
