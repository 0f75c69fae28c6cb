# SPDX-License-Identifier: GPL-2.0
#
# gnuplot -e "dir='DIR'" plots.gp: DIR/*.png from DIR/plot/*.dat

set terminal pngcairo size 900,600 font "sans,11"
set grid
set key top left
set style data yerrorlines

there(file) = system(sprintf("test -s '%s' && echo 1 || echo 0", file)) + 0
dat(metric, peer) = sprintf("%s/plot/%s.%s.dat", dir, metric, peer)
# The peers that were measured.
measured(metric) = system(sprintf("cd '%s/plot' && ls %s.*.dat | cut -d. -f2", dir, metric))

set logscale xy
set format y "10^{%L}"
set xlabel "bytes in the buffer"
set ylabel "microseconds (median, quartiles)"
set xtics ("4K" 4096, "64K" 65536, "1M" 1048576, "4M" 4194304, \
	   "16M" 16777216, "64M" 67108864, "256M" 268435456)

metrics = "alloc free touch touch-shifted copy vmap map remap"
titles = "'allocate' 'free' 'mmap and first touch, aligned' 'mmap and first touch, not aligned' \
	  'memcpy out of the mapping' 'kernel mapping' 'first map for a device, and unmap' \
	  'second map of the same attachment, and unmap'"
do for [i = 1:words(metrics)] {
	metric = word(metrics, i)
	if (there(dat(metric, "system"))) {
		set output sprintf("%s/%s.png", dir, metric)
		set title word(titles, i)
		plot for [peer in measured(metric)] dat(metric, peer) using 1:2:3:4 title peer
	}
}

unset logscale x
set xlabel "threads"
set ylabel "microseconds for a buffer (median, quartiles)"
set xrange [0.8:4.2]
set xtics 1
do for [what in "alloc-64 alloc-1024 map-4-64 map-4-1024"] {
	metric = sprintf("threads-%sk", what)
	if (there(dat(metric, "system"))) {
		set output sprintf("%s/%s.png", dir, metric)
		set title sprintf("%s KB in threads on 2 CPUs", what)
		plot for [peer in measured(metric)] dat(metric, peer) using 1:2:3:4 title peer
	}
}
