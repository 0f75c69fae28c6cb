#!/usr/bin/env perl
# SPDX-License-Identifier: GPL-2.0
#
# vm-screen.pl DIR: for vm.sh, takes pictures of the guest's screen by QEMU's monitor, for
# which the guest asks with a line on a serial port. DIR has the two ends of both,
# screen.{in,out} and monitor.{in,out}. Leaves the last picture in DIR/screen.png, or in
# DIR/screen.error why there is none.

use strict;
use warnings;
use IO::Handle;

my $dir = $ARGV[0] or die "usage: vm-screen.pl DIR\n";

# Both ways of a FIFO are opened: no end of file when QEMU is not there yet.
sub channel {
	my ($name) = @_;

	open(my $from, '+<', "$dir/$name.out") or die "$name: $!";
	open(my $to, '+<', "$dir/$name.in") or die "$name: $!";
	$to->autoflush(1);
	return { from => $from, to => $to };
}

# Returns what is wrong, or nothing.
sub execute {
	my ($monitor, $command) = @_;

	print { $monitor->{to} } "$command\n";
	while (defined(my $line = readline($monitor->{from}))) {
		return '' if $line =~ /^\{"return"/;
		return $1 if $line =~ /^\{"error".*"desc": "(.*?)"/;
	}
	return 'the monitor is gone';
}

sub take {
	my ($monitor, $format) = @_;

	return execute($monitor, qq({"execute": "screendump", "arguments": ) .
		qq({"filename": "$dir/screen.$format", "format": "$format"}}));
}

sub content {
	my ($file) = @_;
	local $/;

	open(my $from, '<:raw', $file) or die "$file: $!";
	return readline($from);
}

sub note {
	my ($error) = @_;

	open(my $to, '>', "$dir/screen.error") or die "screen.error: $!";
	print $to "$error\n";
}

my $port = channel('screen');
my $monitor = channel('monitor');
my $silent = execute($monitor, '{"execute": "qmp_capabilities"}');

while (defined(my $line = readline($port->{from}))) {
	my $answer = "end\n";

	# At the guest's end, which has what the command asked for: nobody reads it.
	if ($line ne "end\n" || !-e "$dir/screen.png") {
		my $error = $silent || take($monitor, 'png') || take($monitor, 'ppm');

		note($error);
		$answer = $error ? "error: $error\n" : content("$dir/screen.ppm");
	}
	print { $port->{to} } $answer;
}
