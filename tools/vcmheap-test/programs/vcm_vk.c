// SPDX-License-Identifier: MIT
/*
 * A Vulkan driver that works on DMA-BUFs, for tests.
 */

#include <fcntl.h>

#include "igt.h"
#include "vcm_vk.h"

/* What glslangValidator makes of card.vert and card.frag. */
#include "card_vert.h"
#include "card_frag.h"

#define FORMAT VK_FORMAT_R32_UINT
#define DMABUF VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT
#define MAX_DEVICES 8

#define vk_assert(call) do {							\
	VkResult result_ = (call);						\
	igt_assert_f(result_ == VK_SUCCESS, "%s: VkResult %d\n", #call, result_); \
} while (0)

/* ---- the device ---- */

static const char *const extensions[] = {
	VK_KHR_EXTERNAL_MEMORY_FD_EXTENSION_NAME,
	VK_EXT_EXTERNAL_MEMORY_DMA_BUF_EXTENSION_NAME,
};

/* The driver that computes with the CPU. */
static void find_device(struct vcm_vk *vk)
{
	VkPhysicalDevice devices[MAX_DEVICES];
	VkPhysicalDeviceProperties properties;
	uint32_t count = MAX_DEVICES, i;

	vk_assert(vkEnumeratePhysicalDevices(vk->instance, &count, devices));
	for (i = 0; i < count; i++) {
		vkGetPhysicalDeviceProperties(devices[i], &properties);
		if (properties.deviceType != VK_PHYSICAL_DEVICE_TYPE_CPU)
			continue;
		igt_info("%s\n", properties.deviceName);
		vk->physical = devices[i];
		vkGetPhysicalDeviceMemoryProperties(vk->physical, &vk->memory);
		return;
	}
	igt_assert_f(false, "no Vulkan driver for the CPU\n");
}

static void make_device(struct vcm_vk *vk)
{
	static const float priority = 1;
	VkPhysicalDeviceVulkan13Features features = {
		.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES,
		.dynamicRendering = VK_TRUE,
	};
	VkDeviceQueueCreateInfo queue = {
		.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
		.queueCount = 1, .pQueuePriorities = &priority,
	};
	VkDeviceCreateInfo device = {
		.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO, .pNext = &features,
		.queueCreateInfoCount = 1, .pQueueCreateInfos = &queue,
		.enabledExtensionCount = ARRAY_SIZE(extensions),
		.ppEnabledExtensionNames = extensions,
	};

	vk_assert(vkCreateDevice(vk->physical, &device, NULL, &vk->device));
	vkGetDeviceQueue(vk->device, 0, 0, &vk->queue);
	vk->get_memory_fd = (void *)vkGetDeviceProcAddr(vk->device, "vkGetMemoryFdKHR");
	vk->get_memory_fd_properties =
		(void *)vkGetDeviceProcAddr(vk->device, "vkGetMemoryFdPropertiesKHR");
	igt_assert(vk->get_memory_fd && vk->get_memory_fd_properties);
}

static VkShaderModule make_shader(const struct vcm_vk *vk, const uint32_t *code, size_t size)
{
	VkShaderModuleCreateInfo info = {
		.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
		.codeSize = size, .pCode = code,
	};
	VkShaderModule shader;

	vk_assert(vkCreateShaderModule(vk->device, &info, NULL, &shader));
	return shader;
}

/* The card needs to be told its seed and how large the picture is, and nothing else. */
static void make_card(struct vcm_vk *vk)
{
	VkShaderModule vert = make_shader(vk, card_vert, sizeof(card_vert));
	VkShaderModule frag = make_shader(vk, card_frag, sizeof(card_frag));
	VkPipelineShaderStageCreateInfo stages[] = {
		{ .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
		  .stage = VK_SHADER_STAGE_VERTEX_BIT, .module = vert, .pName = "main" },
		{ .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
		  .stage = VK_SHADER_STAGE_FRAGMENT_BIT, .module = frag, .pName = "main" },
	};
	VkPushConstantRange seed = { .stageFlags = VK_SHADER_STAGE_FRAGMENT_BIT,
				     .size = sizeof(uint32_t) };
	VkPipelineLayoutCreateInfo layout = {
		.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
		.pushConstantRangeCount = 1, .pPushConstantRanges = &seed,
	};
	static const VkFormat format = FORMAT;
	VkPipelineRenderingCreateInfo rendering = {
		.sType = VK_STRUCTURE_TYPE_PIPELINE_RENDERING_CREATE_INFO,
		.colorAttachmentCount = 1, .pColorAttachmentFormats = &format,
	};
	VkPipelineVertexInputStateCreateInfo input = {
		.sType = VK_STRUCTURE_TYPE_PIPELINE_VERTEX_INPUT_STATE_CREATE_INFO,
	};
	VkPipelineInputAssemblyStateCreateInfo assembly = {
		.sType = VK_STRUCTURE_TYPE_PIPELINE_INPUT_ASSEMBLY_STATE_CREATE_INFO,
		.topology = VK_PRIMITIVE_TOPOLOGY_TRIANGLE_LIST,
	};
	VkPipelineViewportStateCreateInfo viewport = {
		.sType = VK_STRUCTURE_TYPE_PIPELINE_VIEWPORT_STATE_CREATE_INFO,
		.viewportCount = 1, .scissorCount = 1,
	};
	VkPipelineRasterizationStateCreateInfo raster = {
		.sType = VK_STRUCTURE_TYPE_PIPELINE_RASTERIZATION_STATE_CREATE_INFO,
		.lineWidth = 1,
	};
	VkPipelineMultisampleStateCreateInfo samples = {
		.sType = VK_STRUCTURE_TYPE_PIPELINE_MULTISAMPLE_STATE_CREATE_INFO,
		.rasterizationSamples = VK_SAMPLE_COUNT_1_BIT,
	};
	VkPipelineColorBlendAttachmentState all = { .colorWriteMask = 0xf };
	VkPipelineColorBlendStateCreateInfo blend = {
		.sType = VK_STRUCTURE_TYPE_PIPELINE_COLOR_BLEND_STATE_CREATE_INFO,
		.attachmentCount = 1, .pAttachments = &all,
	};
	static const VkDynamicState states[] = {
		VK_DYNAMIC_STATE_VIEWPORT, VK_DYNAMIC_STATE_SCISSOR,
	};
	VkPipelineDynamicStateCreateInfo dynamic = {
		.sType = VK_STRUCTURE_TYPE_PIPELINE_DYNAMIC_STATE_CREATE_INFO,
		.dynamicStateCount = ARRAY_SIZE(states), .pDynamicStates = states,
	};
	VkGraphicsPipelineCreateInfo info = {
		.sType = VK_STRUCTURE_TYPE_GRAPHICS_PIPELINE_CREATE_INFO, .pNext = &rendering,
		.stageCount = ARRAY_SIZE(stages), .pStages = stages,
		.pVertexInputState = &input, .pInputAssemblyState = &assembly,
		.pViewportState = &viewport, .pRasterizationState = &raster,
		.pMultisampleState = &samples, .pColorBlendState = &blend,
		.pDynamicState = &dynamic,
	};

	vk_assert(vkCreatePipelineLayout(vk->device, &layout, NULL, &vk->layout));
	info.layout = vk->layout;
	vk_assert(vkCreateGraphicsPipelines(vk->device, NULL, 1, &info, NULL, &vk->card));
	vkDestroyShaderModule(vk->device, vert, NULL);
	vkDestroyShaderModule(vk->device, frag, NULL);
}

/* Not while file descriptors are counted: it keeps some. */
void vcm_vk_open(struct vcm_vk *vk)
{
	VkApplicationInfo app = {
		.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO, .apiVersion = VK_API_VERSION_1_3,
	};
	VkInstanceCreateInfo instance = {
		.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, .pApplicationInfo = &app,
	};
	VkCommandPoolCreateInfo pool = { .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO };

	setenv("MESA_SHADER_CACHE_DISABLE", "true", 1);
	vk_assert(vkCreateInstance(&instance, NULL, &vk->instance));
	find_device(vk);
	make_device(vk);
	vk_assert(vkCreateCommandPool(vk->device, &pool, NULL, &vk->pool));
	make_card(vk);
}

void vcm_vk_close(struct vcm_vk *vk)
{
	vkDestroyPipeline(vk->device, vk->card, NULL);
	vkDestroyPipelineLayout(vk->device, vk->layout, NULL);
	vkDestroyCommandPool(vk->device, vk->pool, NULL);
	vkDestroyDevice(vk->device, NULL);
	vkDestroyInstance(vk->instance, NULL);
}

/* ---- memory ---- */

/* Of one of the @types, which are bits; the file descriptor stays the caller's. */
VkResult __vcm_vk_import(const struct vcm_vk *vk, int dmabuf, uint64_t size, uint32_t types,
			 VkDeviceMemory *memory)
{
	VkMemoryFdPropertiesKHR properties = {
		.sType = VK_STRUCTURE_TYPE_MEMORY_FD_PROPERTIES_KHR,
	};
	VkImportMemoryFdInfoKHR import = {
		.sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_FD_INFO_KHR, .handleType = DMABUF,
	};
	VkMemoryAllocateInfo info = {
		.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, .pNext = &import,
		.allocationSize = size,
	};
	VkResult result;

	vk_assert(vk->get_memory_fd_properties(vk->device, DMABUF, dmabuf, &properties));
	types &= properties.memoryTypeBits;
	igt_assert(types);
	info.memoryTypeIndex = __builtin_ctz(types);
	/* The driver closes what it takes. */
	import.fd = fcntl(dmabuf, F_DUPFD_CLOEXEC, 0);
	igt_assert_lte(0, import.fd);
	result = vkAllocateMemory(vk->device, &info, NULL, memory);
	if (result != VK_SUCCESS)
		close(import.fd);
	return result;
}

static void import(const struct vcm_vk *vk, int dmabuf, const VkMemoryRequirements *needs,
		   VkDeviceMemory *memory)
{
	vk_assert(__vcm_vk_import(vk, dmabuf, needs->size, needs->memoryTypeBits, memory));
}

/* Returns a new file descriptor of the DMA-BUF. */
int vcm_vk_export(const struct vcm_vk *vk, VkDeviceMemory memory)
{
	VkMemoryGetFdInfoKHR info = {
		.sType = VK_STRUCTURE_TYPE_MEMORY_GET_FD_INFO_KHR,
		.memory = memory, .handleType = DMABUF,
	};
	int fd = -1;

	vk_assert(vk->get_memory_fd(vk->device, &info, &fd));
	return fd;
}

void vcm_vk_buffer_import(const struct vcm_vk *vk, int dmabuf, uint64_t size,
			  struct vcm_vk_buffer *buffer)
{
	VkExternalMemoryBufferCreateInfo external = {
		.sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO, .handleTypes = DMABUF,
	};
	VkBufferCreateInfo info = {
		.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .pNext = &external, .size = size,
		.usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT,
	};
	VkMemoryRequirements needs;

	buffer->size = size;
	vk_assert(vkCreateBuffer(vk->device, &info, NULL, &buffer->buffer));
	vkGetBufferMemoryRequirements(vk->device, buffer->buffer, &needs);
	import(vk, dmabuf, &needs, &buffer->memory);
	vk_assert(vkBindBufferMemory(vk->device, buffer->buffer, buffer->memory, 0));
}

void vcm_vk_buffer_release(const struct vcm_vk *vk, struct vcm_vk_buffer *buffer)
{
	vkDestroyBuffer(vk->device, buffer->buffer, NULL);
	vkFreeMemory(vk->device, buffer->memory, NULL);
}

static VkImage make_image(const struct vcm_vk *vk, unsigned int width, unsigned int height)
{
	VkExternalMemoryImageCreateInfo external = {
		.sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_IMAGE_CREATE_INFO, .handleTypes = DMABUF,
	};
	VkImageCreateInfo info = {
		.sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO, .pNext = &external,
		.imageType = VK_IMAGE_TYPE_2D, .format = FORMAT, .extent = { width, height, 1 },
		.mipLevels = 1, .arrayLayers = 1, .samples = VK_SAMPLE_COUNT_1_BIT,
		.tiling = VK_IMAGE_TILING_LINEAR,
		.usage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT | VK_IMAGE_USAGE_TRANSFER_SRC_BIT |
			 VK_IMAGE_USAGE_TRANSFER_DST_BIT,
	};
	VkImage image;

	vk_assert(vkCreateImage(vk->device, &info, NULL, &image));
	return image;
}

/* Returns how many bytes such a picture takes. */
uint64_t vcm_vk_image_size(const struct vcm_vk *vk, unsigned int width, unsigned int height)
{
	VkImage image = make_image(vk, width, height);
	VkMemoryRequirements needs;

	vkGetImageMemoryRequirements(vk->device, image, &needs);
	vkDestroyImage(vk->device, image, NULL);
	return needs.size;
}

void vcm_vk_image_import(const struct vcm_vk *vk, int dmabuf, unsigned int width,
			 unsigned int height, struct vcm_vk_image *image)
{
	VkImageSubresource colour = { .aspectMask = VK_IMAGE_ASPECT_COLOR_BIT };
	VkImageViewCreateInfo view = {
		.sType = VK_STRUCTURE_TYPE_IMAGE_VIEW_CREATE_INFO,
		.viewType = VK_IMAGE_VIEW_TYPE_2D, .format = FORMAT,
		.subresourceRange = { VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1 },
	};
	VkMemoryRequirements needs;
	VkSubresourceLayout layout;

	image->width = width;
	image->height = height;
	image->image = make_image(vk, width, height);
	vkGetImageMemoryRequirements(vk->device, image->image, &needs);
	import(vk, dmabuf, &needs, &image->memory);
	vk_assert(vkBindImageMemory(vk->device, image->image, image->memory, 0));
	vkGetImageSubresourceLayout(vk->device, image->image, &colour, &layout);
	igt_assert_eq_u64(layout.offset, 0);
	image->pitch = layout.rowPitch;
	view.image = image->image;
	vk_assert(vkCreateImageView(vk->device, &view, NULL, &image->view));
}

void vcm_vk_image_release(const struct vcm_vk *vk, struct vcm_vk_image *image)
{
	vkDestroyImageView(vk->device, image->view, NULL);
	vkDestroyImage(vk->device, image->image, NULL);
	vkFreeMemory(vk->device, image->memory, NULL);
}

/* ---- work ---- */

static VkCommandBuffer begin(const struct vcm_vk *vk)
{
	VkCommandBufferAllocateInfo alloc = {
		.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO, .commandPool = vk->pool,
		.level = VK_COMMAND_BUFFER_LEVEL_PRIMARY, .commandBufferCount = 1,
	};
	VkCommandBufferBeginInfo info = {
		.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
		.flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT,
	};
	VkCommandBuffer commands;

	vk_assert(vkAllocateCommandBuffers(vk->device, &alloc, &commands));
	vk_assert(vkBeginCommandBuffer(commands, &info));
	return commands;
}

static void end(const struct vcm_vk *vk, VkCommandBuffer commands)
{
	VkSubmitInfo submit = {
		.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
		.commandBufferCount = 1, .pCommandBuffers = &commands,
	};

	vk_assert(vkEndCommandBuffer(commands));
	vk_assert(vkQueueSubmit(vk->queue, 1, &submit, VK_NULL_HANDLE));
	vk_assert(vkQueueWaitIdle(vk->queue));
	vkFreeCommandBuffers(vk->device, vk->pool, 1, &commands);
}

/* What is in the picture stays: a linear one is what its bytes are. */
static void make_general(VkCommandBuffer commands, const struct vcm_vk_image *image)
{
	VkImageMemoryBarrier barrier = {
		.sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER,
		.dstAccessMask = VK_ACCESS_MEMORY_READ_BIT | VK_ACCESS_MEMORY_WRITE_BIT,
		.oldLayout = VK_IMAGE_LAYOUT_PREINITIALIZED, .newLayout = VK_IMAGE_LAYOUT_GENERAL,
		.srcQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
		.dstQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
		.image = image->image,
		.subresourceRange = { VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1 },
	};

	vkCmdPipelineBarrier(commands, VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT,
			     VK_PIPELINE_STAGE_ALL_COMMANDS_BIT, 0, 0, NULL, 0, NULL, 1, &barrier);
}

void vcm_vk_fill(const struct vcm_vk *vk, const struct vcm_vk_buffer *buffer, uint32_t word)
{
	VkCommandBuffer commands = begin(vk);

	vkCmdFillBuffer(commands, buffer->buffer, 0, buffer->size, word);
	end(vk, commands);
}

void vcm_vk_copy(const struct vcm_vk *vk, const struct vcm_vk_buffer *from,
		 const struct vcm_vk_buffer *to)
{
	VkCommandBuffer commands = begin(vk);
	VkBufferCopy all = { .size = from->size };

	vkCmdCopyBuffer(commands, from->buffer, to->buffer, 1, &all);
	end(vk, commands);
}

void vcm_vk_copy_image(const struct vcm_vk *vk, const struct vcm_vk_image *from,
		       const struct vcm_vk_image *to)
{
	VkCommandBuffer commands = begin(vk);
	VkImageCopy all = {
		.srcSubresource = { VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1 },
		.dstSubresource = { VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1 },
		.extent = { from->width, from->height, 1 },
	};

	make_general(commands, from);
	make_general(commands, to);
	vkCmdCopyImage(commands, from->image, VK_IMAGE_LAYOUT_GENERAL, to->image,
		       VK_IMAGE_LAYOUT_GENERAL, 1, &all);
	end(vk, commands);
}

/* The test card. */
void vcm_vk_draw(const struct vcm_vk *vk, const struct vcm_vk_image *image, uint32_t seed)
{
	VkCommandBuffer commands = begin(vk);
	VkRect2D area = { .extent = { image->width, image->height } };
	VkViewport viewport = { .width = image->width, .height = image->height, .maxDepth = 1 };
	VkRenderingAttachmentInfo target = {
		.sType = VK_STRUCTURE_TYPE_RENDERING_ATTACHMENT_INFO, .imageView = image->view,
		.imageLayout = VK_IMAGE_LAYOUT_GENERAL, .loadOp = VK_ATTACHMENT_LOAD_OP_CLEAR,
		.storeOp = VK_ATTACHMENT_STORE_OP_STORE,
	};
	VkRenderingInfo rendering = {
		.sType = VK_STRUCTURE_TYPE_RENDERING_INFO, .renderArea = area, .layerCount = 1,
		.colorAttachmentCount = 1, .pColorAttachments = &target,
	};

	make_general(commands, image);
	vkCmdBeginRendering(commands, &rendering);
	vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, vk->card);
	vkCmdSetViewport(commands, 0, 1, &viewport);
	vkCmdSetScissor(commands, 0, 1, &area);
	vkCmdPushConstants(commands, vk->layout, VK_SHADER_STAGE_FRAGMENT_BIT, 0, sizeof(seed),
			   &seed);
	vkCmdDraw(commands, 3, 1, 0, 0);
	vkCmdEndRendering(commands);
	end(vk, commands);
}
