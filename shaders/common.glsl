/* What every shader begins with: bindings, loads, stores, activations. Positions count elements from the start of the arena or of the weights.
 *
 * Every shader is built for both ways in which memory is reached. FV_TEXEL: loads through texel buffers, because software devices run those of storage buffers
 * lane by lane (and storage texel buffers, because each load of a uniform one is a call); stores, which go lane by lane wherever they go to, 64 bits at a time.
 * Else through storage buffers. Those that shaders.list marks so are built in other forms too: with FV_HALF what is computed and what kernels pack lies as fp16,
 * while shaders go on computing in fp32. FV_NARROW and FV_WIDEN are the two halves of that: results are fp16, or what is read is. FV_ARITHMETIC is FV_HALF for shaders that compute in fp16 too: in FLOAT, of which sums of a few products are made that are
 * added up in fp32. Within one dispatch nothing is read that it writes. */
#extension GL_EXT_control_flow_attributes : require
#ifdef FV_ARITHMETIC
#define FV_HALF
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#define FLOAT float16_t
#define FLOAT4 f16vec4
#else
#define FLOAT float
#define FLOAT4 vec4
#endif
#if defined FV_HALF || defined FV_WIDEN
#define LOADS_HALF
#endif
#if defined FV_HALF || defined FV_NARROW
#define STORES_HALF
#endif

layout(local_size_x_id = 0) in;

layout(set = 0, binding = 0) buffer Arena { float arena[]; };
#ifdef FV_TEXEL
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
layout(set = 0, binding = 0) buffer ArenaLong { uint64_t arena_long[]; };
#endif
layout(set = 0, binding = 0) buffer ArenaVec4 { vec4 arena_vec4[]; };
layout(set = 0, binding = 1) readonly buffer Weights { float weights[]; };
layout(set = 0, binding = 1) readonly buffer WeightsVec4 { vec4 weights_vec4[]; };
#ifdef FV_TEXEL
layout(set = 0, binding = 4, rgba32f) uniform readonly imageBuffer weights_texel4;
layout(set = 0, binding = 5, r32f) uniform readonly imageBuffer weights_texel1;
#ifdef LOADS_HALF
layout(set = 0, binding = 6, rgba16f) uniform readonly imageBuffer arena_texel4;
layout(set = 0, binding = 7, r16f) uniform readonly imageBuffer arena_texel1;
layout(set = 0, binding = 8, rgba16f) uniform readonly imageBuffer packed_texel4;
layout(set = 0, binding = 9, r16f) uniform readonly imageBuffer packed_texel1;
#else
layout(set = 0, binding = 2, rgba32f) uniform readonly imageBuffer arena_texel4;
#define arena_texel1 scratch_texel1
#define packed_texel4 weights_texel4
#define packed_texel1 weights_texel1
#endif
layout(set = 0, binding = 3, r32f) uniform readonly imageBuffer scratch_texel1;
#ifdef STORES_HALF
layout(set = 0, binding = 7, r16f) uniform writeonly imageBuffer arena_image1;
#endif
#elif defined LOADS_HALF || defined STORES_HALF
#extension GL_EXT_shader_16bit_storage : require
layout(set = 0, binding = 0) buffer ArenaHalf { float16_t arena_half[]; };
layout(set = 0, binding = 0) buffer ArenaHalf4 { f16vec4 arena_half4[]; };
layout(set = 0, binding = 1) readonly buffer WeightsHalf { float16_t weights_half[]; };
layout(set = 0, binding = 1) readonly buffer WeightsHalf4 { f16vec4 weights_half4[]; };
#endif

/* The …4 take positions that are multiples of four. Weights are what kernels packed; constants are what stays fp32 whatever the activations are: as the model has
 * it, or packed where it is too little to save anything. Scratch is fp32 too. */
#ifdef FV_TEXEL
float load(int at) { return imageLoad(arena_texel1, at).x; }
vec4 load4(int at) { return imageLoad(arena_texel4, at >> 2); }
float load_weight(int at) { return imageLoad(packed_texel1, at).x; }
vec4 load_weight4(int at) { return imageLoad(packed_texel4, at >> 2); }
float load_constant(int at) { return imageLoad(weights_texel1, at).x; }
vec4 load_constant4(int at) { return imageLoad(weights_texel4, at >> 2); }
float load_scratch(int at) { return imageLoad(scratch_texel1, at).x; }
#ifdef STORES_HALF
/* What fp16 holds that is nearest, halves to even: stores may cut instead, and such errors have one sign and add up. */
vec4 rounded(vec4 x) {
  uvec4 bits = floatBitsToUint(x);
  return mix(uintBitsToFloat((bits + 0xfffu + (bits >> 13 & 1u)) & 0xffffe000u), x, isnan(x));
}
void store(int at, float value) { imageStore(arena_image1, at, rounded(vec4(value))); }
void store4(int at, vec4 value) {
  vec4 half_way = rounded(value);
  arena_long[at >> 2] = packUint2x32(uvec2(packHalf2x16(half_way.xy), packHalf2x16(half_way.zw)));
}
#else
void store(int at, float value) { arena[at] = value; }
#define STORES_PAIRS
void store2(int at, vec2 value) { arena_long[at >> 1] = packUint2x32(floatBitsToUint(value)); }
void store4(int at, vec4 value) {
  store2(at, value.xy);
  store2(at + 2, value.zw);
}
#endif
#else
#ifdef LOADS_HALF
float load(int at) { return float(arena_half[at]); }
vec4 load4(int at) { return vec4(arena_half4[at >> 2]); }
float load_weight(int at) { return float(weights_half[at]); }
vec4 load_weight4(int at) { return vec4(weights_half4[at >> 2]); }
#else
float load(int at) { return arena[at]; }
vec4 load4(int at) { return arena_vec4[at >> 2]; }
float load_weight(int at) { return weights[at]; }
vec4 load_weight4(int at) { return weights_vec4[at >> 2]; }
#endif
#ifdef STORES_HALF
void store(int at, float value) { arena_half[at] = float16_t(value); }
void store4(int at, vec4 value) { arena_half4[at >> 2] = f16vec4(value); }
#else
void store(int at, float value) { arena[at] = value; }
void store4(int at, vec4 value) { arena_vec4[at >> 2] = value; }
#endif
float load_constant(int at) { return weights[at]; }
vec4 load_constant4(int at) { return weights_vec4[at >> 2]; }
float load_scratch(int at) { return arena[at]; }
#endif
#if defined FV_ARITHMETIC && !defined FV_TEXEL
FLOAT load_float(int at) { return arena_half[at]; }
FLOAT4 load_float4(int at) { return arena_half4[at >> 2]; }
FLOAT4 load_float_weight4(int at) { return weights_half4[at >> 2]; }
#else
FLOAT load_float(int at) { return FLOAT(load(at)); }
FLOAT4 load_float4(int at) { return FLOAT4(load4(at)); }
FLOAT4 load_float_weight4(int at) { return FLOAT4(load_weight4(at)); }
#endif
/* The first `count` (1 to 4) of four floats, `step` apart. */
void store_some(int at, vec4 value, int count, int step) {
  store(at, value.x);
  if (count > 1) store(at + step, value.y);
  if (count > 2) store(at + 2 * step, value.z);
  if (count > 3) store(at + 3 * step, value.w);
}

/* How results lie, a specialization constant that core/vulkan/shape.h makes; `step` apart where nothing is known. Software devices run both sides of every branch,
 * so what can be decided before they run, is. */
#define LIES_FOURS 1 /* they follow each other, and fours of them begin at multiples of four */
#define LIES_WHOLE 2 /* there are so many that all fours are whole */
#define LIES_PAIRS 4 /* they follow each other, and are whole pairs that begin at even positions */
void store_row(int lies, int at, vec4 value, int count, int step) {
  if ((lies & LIES_FOURS) != 0 && (lies & LIES_WHOLE) != 0) {
    store4(at, value);
#ifdef STORES_PAIRS
  } else if ((lies & LIES_PAIRS) != 0) {
    store2(at, value.xy);
    if (count > 2) store2(at + 2, value.zw);
#else
  } else if ((lies & LIES_FOURS) != 0 && count >= 4) {
    store4(at, value);
#endif
  } else {
    store_some(at, value, count, step);
  }
}
void store_lying(int lies, int at, vec4 value, int count) { store_row(lies, at, value, count, 1); }

/* This invocation's number; the host launches whole groups, so shaders leave when it is not below push.count. */
int invocation() { return int(gl_GlobalInvocationID.x + gl_GlobalInvocationID.y * gl_NumWorkGroups.x * gl_WorkGroupSize.x); }

/* a / b for a >= 0, b > 0: exact, by two rounds of estimates. Software devices divide integers lane by lane, and GPUs have no instruction for it. */
int divide(int a, int b) {
  float inverse = 1 / float(b);
  int q = int(float(a) * inverse);
  q += int(floor(float(a - q * b) * inverse));
  int rest = a - q * b;
  return q + (rest >= b ? 1 : 0) - (rest < 0 ? 1 : 0);
}

/* As in core/ir/activation.h. */
#define ACTIVATION_NONE 0
#define ACTIVATION_RELU 1
#define ACTIVATION_CLIP 2
#define ACTIVATION_LEAKY_RELU 3
#define ACTIVATION_SIGMOID 4
#define ACTIVATION_SILU 5
#define ACTIVATION_TANH 6
#define ACTIVATION_HARD_SIGMOID 7
#define ACTIVATION_HARD_SWISH 8

vec4 activate(int type, vec4 x, float alpha, float beta) {
  switch (type) {
    case ACTIVATION_RELU: return max(x, vec4(0));
    case ACTIVATION_CLIP: return min(max(x, vec4(alpha)), vec4(beta));
    case ACTIVATION_LEAKY_RELU: return mix(x, alpha * x, lessThan(x, vec4(0)));
    case ACTIVATION_SIGMOID: return 1 / (1 + exp(-x));
    case ACTIVATION_SILU: return x / (1 + exp(-x));
    case ACTIVATION_TANH: return tanh(clamp(x, vec4(-15), vec4(15))); /* drivers divide exponentials, which overflow */
    case ACTIVATION_HARD_SIGMOID: return clamp(alpha * x + beta, vec4(0), vec4(1));
    case ACTIVATION_HARD_SWISH: return x * clamp(x / 6 + 0.5, vec4(0), vec4(1));
    default: return x;
  }
}
