/* SPDX-License-Identifier: MIT */
/*
 * Drivers that come and go, for tests: modules, and what they are bound to.
 */
#ifndef VCM_DRIVER_H
#define VCM_DRIVER_H

#include <stdbool.h>

#include "vcm_iova.h"

/* The module of the tests' importer; its driver has another spelling of the name. */
#define VCM_EDU_MODULE	"vcm_edu_test"

bool vcm_driver_bound(const char *device);
void vcm_driver_bind(const char *device);
void vcm_driver_unbind(const char *device);
void vcm_device_remove(const char *device);
void vcm_bus_rescan(void);

bool vcm_module_loaded(const char *module);
int vcm_module_users(const char *module);
bool vcm_module_find(const char *module, char *path);
int __vcm_module_load(const char *path, const char *params);
int __vcm_module_unload(const char *module);

void vcm_edu_require_module(void);
bool vcm_edu_is_managed(void);
void vcm_edu_unload(void);
void vcm_edu_load(bool managed);

extern char vcm_edu_device[2][VCM_DEVICE_NAME_LEN];
void vcm_edu_setup(void);
void vcm_edu_restore(void);

#endif /* VCM_DRIVER_H */
