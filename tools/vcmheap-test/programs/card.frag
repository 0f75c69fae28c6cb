#version 450
/* SPDX-License-Identifier: MIT */
/* A test card each of whose pixels is another: card_pixel() in vcm_vulkan.c has the same. */

layout(push_constant) uniform constants {
	uint seed;
};
layout(location = 0) out uint pixel;

void main()
{
	uvec2 at = uvec2(gl_FragCoord.xy);

	pixel = (at.x * 2654435761u ^ at.y * 2246822519u) + seed;
}
