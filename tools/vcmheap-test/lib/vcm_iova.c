// SPDX-License-Identifier: MIT
/*
 * The file vcm/iova in debugfs, for tests: where devices have buffers mapped.
 */

#include <limits.h>
#include <unistd.h>

#include "igt.h"
#include "vcm_debugfs.h"
#include "vcm_importer.h"
#include "vcm_iova.h"

static void parse_mapping(const char *line, struct vcm_iova_mapping *mapping)
{
	mapping->shown = strstr(line, " iova=0x");
	if (mapping->shown)
		mapping->iova = vcm_debugfs_field(line, " iova=");
	else
		igt_assert_f(strstr(line, " iova=- "), "no iova in \"%s\"\n", line);
	mapping->length = vcm_debugfs_field(line, " length=");
	mapping->align = vcm_debugfs_field(line, " align=");
	mapping->guard = vcm_debugfs_field(line, " guard=");
	mapping->before = vcm_debugfs_field(line, " before=");
	mapping->segs = vcm_debugfs_field(line, " segs=");
	mapping->alone = vcm_debugfs_field(line, " alone=");
	mapping->degraded = vcm_debugfs_field(line, " degraded=");
}

static void parse_device(const char *line, struct vcm_iova_device *device)
{
	memset(device, 0, sizeof(*device));
	snprintf(device->name, sizeof(device->name), "%.*s", (int)strcspn(line, " "), line);
	device->translated = vcm_debugfs_field(line, " translated=");
	device->linked = vcm_debugfs_field(line, " linked=");
	device->slab_size = vcm_debugfs_field(line, " slab_size=");
	device->slabs = vcm_debugfs_field(line, " slabs=");
	device->reserved = vcm_debugfs_field(line, " reserved=");
	device->used = vcm_debugfs_field(line, " used=");
	device->largest_free = vcm_debugfs_field(line, " largest_free=");
	device->mappings = vcm_debugfs_field(line, " mappings=");
	device->degraded = vcm_debugfs_field(line, " degraded=");
	device->refused = vcm_debugfs_field(line, " refused=");
}

/*
 * Returns whether the file has that device. Lines that are not in the form of the file
 * fail the test.
 */
bool __vcm_iova_read(const char *name, struct vcm_iova_device *device)
{
	char *text = vcm_debugfs_read("iova"), *save = NULL, *line;
	bool found = false, inside = false;
	unsigned int n = 0;

	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (*line != ' ') {
			inside = vcm_debugfs_is_line_of(line, name);
			if (inside)
				parse_device(line, device);
			found |= inside;
		} else if (inside && n++ < VCM_MAPPINGS_MAX) {
			parse_mapping(line, &device->mapping[n - 1]);
		}
	}
	free(text);
	if (found)
		igt_assert_eq(n, device->mappings);
	return found;
}

/* Like __vcm_iova_read(), but asserts that the device is there. */
void vcm_iova_read(const char *name, struct vcm_iova_device *device)
{
	igt_assert_f(__vcm_iova_read(name, device), "no device %s in vcm/iova\n", name);
}

/* Returns the mapping that begins there, which is asserted to exist. */
const struct vcm_iova_mapping *vcm_iova_find(const struct vcm_iova_device *device, uint64_t iova)
{
	unsigned int i;

	for (i = 0; i < device->mappings && i < VCM_MAPPINGS_MAX; i++)
		if (device->mapping[i].shown && device->mapping[i].iova == iova)
			return &device->mapping[i];
	igt_assert_f(false, "no mapping at %#llx in vcm/iova\n", (unsigned long long)iova);
	return NULL;
}

/* The name of an importer's device; skips the test where there is none. */
void vcm_importer_name(unsigned int index, char *name)
{
	char path[64], link[PATH_MAX];
	const char *base;
	ssize_t len;

	snprintf(path, sizeof(path),
		 index ? "/sys/class/misc/%s%u/device" : "/sys/class/misc/%s/device",
		 vcm_importer, index);
	len = readlink(path, link, sizeof(link) - 1);
	igt_require_f(len > 0, "no importer %s number %u\n", vcm_importer, index);
	link[len] = '\0';
	base = strrchr(link, '/');
	base = base ? base + 1 : link;
	igt_assert_lt(strlen(base), VCM_DEVICE_NAME_LEN);
	snprintf(name, VCM_DEVICE_NAME_LEN, "%.*s", VCM_DEVICE_NAME_LEN - 1, base);
}
