/* SPDX-License-Identifier: MIT */
/*
 * The main job: a large buffer, filled, imported by a device behind an IOMMU,
 * read and written by it, checked.
 */
#ifndef VCM_DEMO_JOB_H
#define VCM_DEMO_JOB_H

/* Does not return when a byte is wrong. */
void job_run(const char *path);

#endif /* VCM_DEMO_JOB_H */
