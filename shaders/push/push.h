/* Push constants are declared once, in this folder, for C and GLSL: a struct of ints and floats here, a block there. */
#ifndef FOVEA_SHADERS_PUSH_H
#define FOVEA_SHADERS_PUSH_H

#ifdef VULKAN
#define FV_PUSH(name) layout(push_constant) uniform name
#define FV_PUSH_NAME push
#else
#define FV_PUSH(name) struct name
#define FV_PUSH_NAME
#endif

#endif
