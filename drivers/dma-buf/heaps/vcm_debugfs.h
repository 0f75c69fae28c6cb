/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The vcm heap seen from outside
 */
#ifndef _VCM_DEBUGFS_H
#define _VCM_DEBUGFS_H

#ifdef CONFIG_DEBUG_FS
void vcm_heap_debugfs_init(void);
#if IS_ENABLED(CONFIG_KUNIT)
struct seq_file;

int vcm_totals_show(struct seq_file *s, void *unused);
int vcm_buffers_show(struct seq_file *s, void *unused);
int vcm_pool_show(struct seq_file *s, void *unused);
#endif
#else
static inline void vcm_heap_debugfs_init(void) { }
#endif

#endif /* _VCM_DEBUGFS_H */
