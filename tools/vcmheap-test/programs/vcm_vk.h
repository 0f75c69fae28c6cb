/* SPDX-License-Identifier: MIT */
/*
 * A Vulkan driver that works on DMA-BUFs, for tests. All assert success, but for __x().
 */
#ifndef VCM_VK_H
#define VCM_VK_H

#include <stdint.h>

#include <vulkan/vulkan.h>

/* A device of the driver */
struct vcm_vk {
	VkInstance instance;
	VkPhysicalDevice physical;
	VkPhysicalDeviceMemoryProperties memory;
	VkDevice device;
	VkQueue queue;
	VkCommandPool pool;
	PFN_vkGetMemoryFdKHR get_memory_fd;
	PFN_vkGetMemoryFdPropertiesKHR get_memory_fd_properties;
	VkPipelineLayout layout;
	VkPipeline card;	/* draws the test card */
};

/* A DMA-BUF that the driver uses as a range of bytes */
struct vcm_vk_buffer {
	VkBuffer buffer;
	VkDeviceMemory memory;
	uint64_t size;
};

/* A DMA-BUF that the driver uses as a picture, one 32-bit number for each pixel */
struct vcm_vk_image {
	VkImage image;
	VkDeviceMemory memory;
	VkImageView view;
	unsigned int width;	/* pixels */
	unsigned int height;	/* lines */
	uint64_t pitch;		/* bytes from line to line */
};

void vcm_vk_open(struct vcm_vk *vk);
void vcm_vk_close(struct vcm_vk *vk);

VkResult __vcm_vk_import(const struct vcm_vk *vk, int dmabuf, uint64_t size, uint32_t types,
			 VkDeviceMemory *memory);
int vcm_vk_export(const struct vcm_vk *vk, VkDeviceMemory memory);

void vcm_vk_buffer_import(const struct vcm_vk *vk, int dmabuf, uint64_t size,
			  struct vcm_vk_buffer *buffer);
void vcm_vk_buffer_release(const struct vcm_vk *vk, struct vcm_vk_buffer *buffer);

uint64_t vcm_vk_image_size(const struct vcm_vk *vk, unsigned int width, unsigned int height);
void vcm_vk_image_import(const struct vcm_vk *vk, int dmabuf, unsigned int width,
			 unsigned int height, struct vcm_vk_image *image);
void vcm_vk_image_release(const struct vcm_vk *vk, struct vcm_vk_image *image);

/* Work, all of which is done when they return */
void vcm_vk_fill(const struct vcm_vk *vk, const struct vcm_vk_buffer *buffer, uint32_t word);
void vcm_vk_copy(const struct vcm_vk *vk, const struct vcm_vk_buffer *from,
		 const struct vcm_vk_buffer *to);
void vcm_vk_draw(const struct vcm_vk *vk, const struct vcm_vk_image *image, uint32_t seed);
void vcm_vk_copy_image(const struct vcm_vk *vk, const struct vcm_vk_image *from,
		       const struct vcm_vk_image *to);

#endif /* VCM_VK_H */
