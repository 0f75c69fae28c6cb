// SPDX-License-Identifier: MIT
/*
 * A display and what it shows, through the kernel's interface for mode setting, for tests.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>

#include <drm_fourcc.h>

#include "igt.h"
#include "vcm_buffer.h"
#include "vcm_kms.h"

#define MAX_CARDS 16

static uint64_t user_ptr(const void *ptr)
{
	return (uintptr_t)ptr;
}

static void kms_ioctl(const struct vcm_kms *kms, unsigned long request, void *arg)
{
	int ret = vcm_ioctl_again(kms->fd, request, arg);

	igt_assert_f(!ret, "DRM ioctl %#lx: %s\n", request, strerror(-ret));
}

/* ---- what there is ---- */

/*
 * Returns the number of property @name of an object, which has the value then, and 0 where
 * there is none.
 */
static uint32_t find_property(const struct vcm_kms *kms, uint32_t object, uint32_t type,
			      const char *name, uint64_t *value)
{
	uint32_t ids[64], i;
	uint64_t values[64];
	struct drm_mode_obj_get_properties list = {
		.props_ptr = user_ptr(ids), .prop_values_ptr = user_ptr(values),
		.count_props = ARRAY_SIZE(ids), .obj_id = object, .obj_type = type,
	};

	kms_ioctl(kms, DRM_IOCTL_MODE_OBJ_GETPROPERTIES, &list);
	igt_assert_lte(list.count_props, ARRAY_SIZE(ids));
	for (i = 0; i < list.count_props; i++) {
		struct drm_mode_get_property property = { .prop_id = ids[i] };

		kms_ioctl(kms, DRM_IOCTL_MODE_GETPROPERTY, &property);
		if (strcmp(property.name, name))
			continue;
		if (value)
			*value = values[i];
		return ids[i];
	}
	return 0;
}

static uint32_t property(const struct vcm_kms *kms, uint32_t object, uint32_t type,
			 const char *name)
{
	uint32_t id = find_property(kms, object, type, name, NULL);

	igt_assert_f(id, "%s has no property %s\n", kms->driver, name);
	return id;
}

static void find_properties(struct vcm_kms *kms)
{
	static const char *const src[] = { "SRC_X", "SRC_Y", "SRC_W", "SRC_H" };
	static const char *const dst[] = { "CRTC_X", "CRTC_Y", "CRTC_W", "CRTC_H" };
	struct vcm_kms_props *props = &kms->props;
	int i;

	props->connector_crtc = property(kms, kms->connector, DRM_MODE_OBJECT_CONNECTOR, "CRTC_ID");
	props->mode = property(kms, kms->crtc, DRM_MODE_OBJECT_CRTC, "MODE_ID");
	props->active = property(kms, kms->crtc, DRM_MODE_OBJECT_CRTC, "ACTIVE");
	props->out_fence = property(kms, kms->crtc, DRM_MODE_OBJECT_CRTC, "OUT_FENCE_PTR");
	props->fb = property(kms, kms->plane, DRM_MODE_OBJECT_PLANE, "FB_ID");
	props->crtc = property(kms, kms->plane, DRM_MODE_OBJECT_PLANE, "CRTC_ID");
	props->in_fence = property(kms, kms->plane, DRM_MODE_OBJECT_PLANE, "IN_FENCE_FD");
	for (i = 0; i < 4; i++) {
		props->src[i] = property(kms, kms->plane, DRM_MODE_OBJECT_PLANE, src[i]);
		props->dst[i] = property(kms, kms->plane, DRM_MODE_OBJECT_PLANE, dst[i]);
	}
}

/* Returns whether a monitor is there; with its modes then. */
static bool find_modes(struct vcm_kms *kms)
{
	struct drm_mode_get_connector connector = { .connector_id = kms->connector };

	/* Without room for modes it has them looked for. */
	kms_ioctl(kms, DRM_IOCTL_MODE_GETCONNECTOR, &connector);
	if (connector.connection != 1 || !connector.count_modes)
		return false;
	kms->nr_modes = connector.count_modes;
	kms->modes = calloc(kms->nr_modes, sizeof(*kms->modes));
	igt_assert(kms->modes);
	connector = (struct drm_mode_get_connector) {
		.connector_id = kms->connector,
		.modes_ptr = user_ptr(kms->modes), .count_modes = kms->nr_modes,
	};
	kms_ioctl(kms, DRM_IOCTL_MODE_GETCONNECTOR, &connector);
	igt_assert_eq(connector.count_modes, kms->nr_modes);
	/* The first one is the one that it prefers. */
	kms->mode = kms->modes[0];
	return true;
}

static bool takes_xrgb(const struct vcm_kms *kms, uint32_t plane)
{
	uint32_t formats[64], i;
	struct drm_mode_get_plane get = {
		.plane_id = plane, .format_type_ptr = user_ptr(formats),
		.count_format_types = ARRAY_SIZE(formats),
	};

	kms_ioctl(kms, DRM_IOCTL_MODE_GETPLANE, &get);
	igt_assert_lte(get.count_format_types, ARRAY_SIZE(formats));
	for (i = 0; i < get.count_format_types; i++)
		if (formats[i] == DRM_FORMAT_XRGB8888)
			return get.possible_crtcs & 1;
	return false;
}

/* The primary plane of the first CRTC. */
static bool find_plane(struct vcm_kms *kms)
{
	uint32_t planes[32], i;
	struct drm_mode_get_plane_res get = {
		.plane_id_ptr = user_ptr(planes), .count_planes = ARRAY_SIZE(planes),
	};

	kms_ioctl(kms, DRM_IOCTL_MODE_GETPLANERESOURCES, &get);
	igt_assert_lte(get.count_planes, ARRAY_SIZE(planes));
	for (i = 0; i < get.count_planes; i++) {
		uint64_t type = 0;

		find_property(kms, planes[i], DRM_MODE_OBJECT_PLANE, "type", &type);
		if (type == 1 && takes_xrgb(kms, planes[i])) {
			kms->plane = planes[i];
			return true;
		}
	}
	return false;
}

static bool find_parts(struct vcm_kms *kms)
{
	uint32_t crtcs[16], connectors[16];
	struct drm_mode_card_res get = {
		.crtc_id_ptr = user_ptr(crtcs), .count_crtcs = ARRAY_SIZE(crtcs),
		.connector_id_ptr = user_ptr(connectors),
		.count_connectors = ARRAY_SIZE(connectors),
	};
	int ret = vcm_ioctl_again(kms->fd, DRM_IOCTL_MODE_GETRESOURCES, &get);

	/* It renders, or is only a name for buffers. */
	if (ret || !get.count_crtcs || !get.count_connectors)
		return false;
	kms->crtc = crtcs[0];
	kms->connector = connectors[0];
	return find_plane(kms) && find_modes(kms);
}

static bool set_capability(const struct vcm_kms *kms, uint64_t capability)
{
	struct drm_set_client_cap cap = { .capability = capability, .value = 1 };

	return !vcm_ioctl_again(kms->fd, DRM_IOCTL_SET_CLIENT_CAP, &cap);
}

static void find_names(struct vcm_kms *kms)
{
	struct drm_version version = {
		.name = kms->driver, .name_len = sizeof(kms->driver) - 1,
	};
	char path[64], device[PATH_MAX], *base;

	kms_ioctl(kms, DRM_IOCTL_VERSION, &version);
	snprintf(path, sizeof(path), "/sys/class/drm/card%u/device", kms->card);
	/* Some have none. */
	if (!realpath(path, device))
		return;
	base = strrchr(device, '/') + 1;
	igt_assert_lt(strlen(base), sizeof(kms->device));
	strcpy(kms->device, base);
}

/* Returns whether this one can show something. */
bool __vcm_kms_open(struct vcm_kms *kms, unsigned int card)
{
	char path[32];

	memset(kms, 0, sizeof(*kms));
	kms->card = card;
	snprintf(path, sizeof(path), "/dev/dri/card%u", card);
	kms->fd = open(path, O_RDWR | O_CLOEXEC);
	if (kms->fd < 0)
		return false;
	find_names(kms);
	/* Each atomic driver has such planes. */
	if (set_capability(kms, DRM_CLIENT_CAP_UNIVERSAL_PLANES) &&
	    set_capability(kms, DRM_CLIENT_CAP_ATOMIC) && find_parts(kms)) {
		find_properties(kms);
		return true;
	}
	vcm_kms_close(kms);
	return false;
}

/* Opens the first display that there is, or skips the test. */
void vcm_kms_open(struct vcm_kms *kms)
{
	unsigned int card;

	for (card = 0; card < MAX_CARDS; card++)
		if (__vcm_kms_open(kms, card))
			return;
	igt_require_f(false, "no display whose driver is atomic and takes XRGB8888\n");
}

void vcm_kms_close(struct vcm_kms *kms)
{
	free(kms->modes);
	kms->modes = NULL;
	close(kms->fd);
	kms->fd = -1;
}

/* ---- framebuffers ---- */

int __vcm_kms_import(const struct vcm_kms *kms, int dmabuf, uint32_t *handle)
{
	struct drm_prime_handle prime = { .fd = dmabuf };
	int ret = vcm_ioctl_again(kms->fd, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime);

	*handle = prime.handle;
	return ret;
}

/* One of XRGB8888. */
int __vcm_kms_add_fb(const struct vcm_kms *kms, uint32_t handle, uint32_t width, uint32_t height,
		     uint32_t pitch, uint32_t *fb)
{
	struct drm_mode_fb_cmd2 cmd = {
		.width = width, .height = height, .pixel_format = DRM_FORMAT_XRGB8888,
		.handles = { handle }, .pitches = { pitch },
	};
	int ret = vcm_ioctl_again(kms->fd, DRM_IOCTL_MODE_ADDFB2, &cmd);

	*fb = cmd.fb_id;
	return ret;
}

/* What shows it is turned off. */
void vcm_kms_remove_fb(const struct vcm_kms *kms, uint32_t fb)
{
	kms_ioctl(kms, DRM_IOCTL_MODE_RMFB, &fb);
}

/* ---- atomic commits ---- */

#define MAX_SETTINGS 24

/* Settings that take effect together; those of an object are behind each other */
struct commit {
	unsigned int n;
	uint32_t objects[MAX_SETTINGS], counts[MAX_SETTINGS];
	unsigned int n_objects;
	uint32_t props[MAX_SETTINGS];
	uint64_t values[MAX_SETTINGS];
};

static void commit_set(struct commit *commit, uint32_t object, uint32_t prop, uint64_t value)
{
	igt_assert_lt(commit->n, MAX_SETTINGS);
	if (!commit->n_objects || commit->objects[commit->n_objects - 1] != object)
		commit->objects[commit->n_objects++] = object;
	commit->counts[commit->n_objects - 1]++;
	commit->props[commit->n] = prop;
	commit->values[commit->n++] = value;
}

static int commit_run(const struct vcm_kms *kms, struct commit *commit, uint32_t flags)
{
	struct drm_mode_atomic atomic = {
		.flags = flags, .count_objs = commit->n_objects,
		.objs_ptr = user_ptr(commit->objects), .count_props_ptr = user_ptr(commit->counts),
		.props_ptr = user_ptr(commit->props), .prop_values_ptr = user_ptr(commit->values),
	};

	return vcm_ioctl_again(kms->fd, DRM_IOCTL_MODE_ATOMIC, &atomic);
}

static uint32_t create_mode_blob(const struct vcm_kms *kms, const struct drm_mode_modeinfo *mode)
{
	struct drm_mode_create_blob blob = { .data = user_ptr(mode), .length = sizeof(*mode) };

	kms_ioctl(kms, DRM_IOCTL_MODE_CREATEPROPBLOB, &blob);
	return blob.blob_id;
}

/* Sets the mode, and shows @fb, which is as large. */
int __vcm_kms_show(struct vcm_kms *kms, const struct drm_mode_modeinfo *mode, uint32_t fb)
{
	const struct vcm_kms_props *props = &kms->props;
	const uint32_t dst[4] = { 0, 0, mode->hdisplay, mode->vdisplay };
	struct drm_mode_destroy_blob destroy = { .blob_id = create_mode_blob(kms, mode) };
	struct commit commit = { };
	int ret, i;

	commit_set(&commit, kms->connector, props->connector_crtc, kms->crtc);
	commit_set(&commit, kms->crtc, props->mode, destroy.blob_id);
	commit_set(&commit, kms->crtc, props->active, 1);
	commit_set(&commit, kms->plane, props->fb, fb);
	commit_set(&commit, kms->plane, props->crtc, kms->crtc);
	for (i = 0; i < 4; i++) {
		commit_set(&commit, kms->plane, props->src[i], (uint64_t)dst[i] << 16);
		commit_set(&commit, kms->plane, props->dst[i], dst[i]);
	}
	ret = commit_run(kms, &commit, DRM_MODE_ATOMIC_ALLOW_MODESET);
	kms_ioctl(kms, DRM_IOCTL_MODE_DESTROYPROPBLOB, &destroy);
	if (!ret)
		kms->mode = *mode;
	return ret;
}

/* Shows nothing. */
void vcm_kms_off(struct vcm_kms *kms)
{
	struct commit commit = { };

	commit_set(&commit, kms->connector, kms->props.connector_crtc, 0);
	commit_set(&commit, kms->crtc, kms->props.mode, 0);
	commit_set(&commit, kms->crtc, kms->props.active, 0);
	commit_set(&commit, kms->plane, kms->props.fb, 0);
	commit_set(&commit, kms->plane, kms->props.crtc, 0);
	igt_assert_eq(commit_run(kms, &commit, DRM_MODE_ATOMIC_ALLOW_MODESET), 0);
}

/* Has @fb shown next, without waiting: vcm_kms_flipped() does. */
int __vcm_kms_flip(struct vcm_kms *kms, uint32_t fb, struct vcm_kms_flip *flip)
{
	struct commit commit = { };

	flip->out_fence = -1;
	if (flip->want_fence)
		commit_set(&commit, kms->crtc, kms->props.out_fence, user_ptr(&flip->out_fence));
	commit_set(&commit, kms->plane, kms->props.fb, fb);
	if (flip->in_fence >= 0)
		commit_set(&commit, kms->plane, kms->props.in_fence, flip->in_fence);
	return commit_run(kms, &commit, DRM_MODE_ATOMIC_NONBLOCK | DRM_MODE_PAGE_FLIP_EVENT);
}

void vcm_kms_flip(struct vcm_kms *kms, uint32_t fb)
{
	struct vcm_kms_flip flip = { .in_fence = -1 };

	igt_assert_eq(__vcm_kms_flip(kms, fb, &flip), 0);
}

/* Returns whether the event that a flip is done came in that time. */
bool vcm_kms_flipped(const struct vcm_kms *kms, int timeout_ms)
{
	struct pollfd poll_fd = { .fd = kms->fd, .events = POLLIN };
	struct drm_event_vblank event;

	if (poll(&poll_fd, 1, timeout_ms) != 1)
		return false;
	igt_assert_eq(read(kms->fd, &event, sizeof(event)), sizeof(event));
	igt_assert_eq(event.base.type, DRM_EVENT_FLIP_COMPLETE);
	return true;
}

/* ---- as programs did before ---- */

int __vcm_kms_legacy_show(struct vcm_kms *kms, const struct drm_mode_modeinfo *mode, uint32_t fb)
{
	struct drm_mode_crtc crtc = {
		.crtc_id = kms->crtc, .fb_id = fb, .set_connectors_ptr = user_ptr(&kms->connector),
		.count_connectors = 1, .mode_valid = 1, .mode = *mode,
	};
	int ret = vcm_ioctl_again(kms->fd, DRM_IOCTL_MODE_SETCRTC, &crtc);

	if (!ret)
		kms->mode = *mode;
	return ret;
}

int __vcm_kms_legacy_flip(struct vcm_kms *kms, uint32_t fb)
{
	struct drm_mode_crtc_page_flip flip = {
		.crtc_id = kms->crtc, .fb_id = fb, .flags = DRM_MODE_PAGE_FLIP_EVENT,
	};

	return vcm_ioctl_again(kms->fd, DRM_IOCTL_MODE_PAGE_FLIP, &flip);
}

/* Says that all of @fb was drawn anew, to a driver that wants to know. */
void vcm_kms_dirty(const struct vcm_kms *kms, uint32_t fb)
{
	struct drm_mode_fb_dirty_cmd dirty = { .fb_id = fb };
	int ret = vcm_ioctl_again(kms->fd, DRM_IOCTL_MODE_DIRTYFB, &dirty);

	igt_assert_f(!ret || ret == -ENOSYS, "DIRTYFB: %s\n", strerror(-ret));
}
