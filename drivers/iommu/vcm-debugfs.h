/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Placement seen from outside
 */
#ifndef _VCM_DEBUGFS_H
#define _VCM_DEBUGFS_H

struct dentry;
struct seq_file;

#ifdef CONFIG_DEBUG_FS
void vcm_iova_debugfs_init(struct dentry *dir);
#if IS_ENABLED(CONFIG_KUNIT)
int vcm_iova_show(struct seq_file *s, void *unused);
int vcm_windows_show(struct seq_file *s, void *unused);
#endif
#else
static inline void vcm_iova_debugfs_init(struct dentry *dir) { }
#endif

#endif /* _VCM_DEBUGFS_H */
