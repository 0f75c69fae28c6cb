/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who is measured: heaps, and states of them.
 */
#ifndef VCM_BENCH_PEERS_H
#define VCM_BENCH_PEERS_H

#include <stdbool.h>
#include <stdint.h>

enum peer {
	/* What is allocated is ready in the pool. */
	PEER_WARM,
	/* There is no pool. */
	PEER_COLD,
	PEER_SYSTEM,
	/* The heap of the CMA region. */
	PEER_CMA,
	/* udmabuf over a memfd of huge pages. */
	PEER_UDMABUF,
	PEERS,
};

const char *peer_name(enum peer peer);

/*
 * Looks which ones there are, for buffers of up to @largest bytes; besides vcm and
 * system only if @others.
 */
void peers_init(uint64_t largest, bool others);
void peers_exit(void);

/* Whether there is such a peer, and memory for @bytes. */
bool peer_can(enum peer peer, uint64_t bytes);

/*
 * Between these two @count buffers of @len bytes can be allocated as @peer says,
 * besides the first one, which is of peer_first(@len) bytes and for rehearsal: an
 * emulated CPU takes up to 100 us to find again what it made of code that it has
 * not run for a while. Outside of them nothing is in the pool and nobody works
 * on it.
 */
void peer_begin(enum peer peer, uint64_t len, unsigned int count);
void peer_end(enum peer peer);
uint64_t peer_first(uint64_t len);

int peer_alloc(enum peer peer, uint64_t len);

/* The heap of the CMA region, or -errno. */
int cma_heap_open(void);
/* A buffer of the vcm heap whose mappings are kept */
int peer_alloc_kept(uint64_t len);

#endif /* VCM_BENCH_PEERS_H */
