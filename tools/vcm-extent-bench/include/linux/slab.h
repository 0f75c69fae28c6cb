/* SPDX-License-Identifier: GPL-2.0 */
/* What the kernel has for the allocator, and neither C nor tools/include has. */
#include <stdint.h>
#include <stdlib.h>

#define U64_MAX			UINT64_MAX
#define kzalloc_obj(object)	((typeof(object) *)calloc(1, sizeof(object)))
#define kfree(object)		free(object)
