# A server that forks for each client, and its clients, to be traced.
use strict;
use warnings;
use IO::Socket::INET;

my ($clients, $lines) = (3, 60);
my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5) or die $@;
my @pids;
for my $number (1 .. $clients) {
    my $pid = fork // die $!;
    if (!$pid) {
        my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $server->sockport) or die $@;
        close $server;
        my $total = 0;
        for my $i (1 .. $lines) {
            syswrite $socket, "line $i of $number\n";
            sysread($socket, my $line, 4096) or die "no answer";
            $total += length $line;
        }
        close $socket;
        exit($total == 2 * length(join "", map { "line $_ of $number\n" } 1 .. $lines) ? 0 : 1);
    }
    push @pids, $pid;
    # One after the other, so that each serves whom it accepted.
    my $peer = $server->accept or die $!;
    my $serving = fork // die $!;
    if (!$serving) {
        close $server;
        while (sysread $peer, my $line, 4096) { syswrite $peer, $line . $line }
        exit 0;
    }
    close $peer;
    push @pids, $serving;
}
for my $pid (@pids) {
    waitpid $pid, 0;
    print "status $?\n";
}
