/* What every shader begins with: bindings, loads, stores, activations. Positions count floats from the start of the arena or of the weights.
 *
 * FV_TEXEL chooses at build time how memory is reached, and every shader is built both ways: through texel buffers (software devices run loads and stores
 * of storage buffers lane by lane) or through storage buffers. Within one dispatch nothing is read that it writes. */
#extension GL_EXT_control_flow_attributes : require

layout(local_size_x_id = 0) in;

layout(set = 0, binding = 0) buffer Arena { float arena[]; };
layout(set = 0, binding = 0) buffer ArenaVec4 { vec4 arena_vec4[]; };
layout(set = 0, binding = 1) readonly buffer Weights { float weights[]; };
layout(set = 0, binding = 1) readonly buffer WeightsVec4 { vec4 weights_vec4[]; };
layout(set = 0, binding = 2) uniform samplerBuffer arena_texel4;
layout(set = 0, binding = 3) uniform samplerBuffer arena_texel1;
layout(set = 0, binding = 4) uniform samplerBuffer weights_texel4;
layout(set = 0, binding = 5) uniform samplerBuffer weights_texel1;

/* load4 takes positions that are multiples of four. */
#ifdef FV_TEXEL
float load(int at) { return texelFetch(arena_texel1, at).x; }
vec4 load4(int at) { return texelFetch(arena_texel4, at >> 2); }
float load_weight(int at) { return texelFetch(weights_texel1, at).x; }
vec4 load_weight4(int at) { return texelFetch(weights_texel4, at >> 2); }
#else
float load(int at) { return arena[at]; }
vec4 load4(int at) { return arena_vec4[at >> 2]; }
float load_weight(int at) { return weights[at]; }
vec4 load_weight4(int at) { return weights_vec4[at >> 2]; }
#endif

#ifdef FV_TEXEL
layout(set = 0, binding = 6, rgba32f) uniform writeonly imageBuffer arena_image4;
layout(set = 0, binding = 7, r32f) uniform writeonly imageBuffer arena_image1;
void store(int at, float value) { imageStore(arena_image1, at, vec4(value)); }
void store4(int at, vec4 value) { imageStore(arena_image4, at >> 2, value); }
#else
void store(int at, float value) { arena[at] = value; }
void store4(int at, vec4 value) { arena_vec4[at >> 2] = value; }
#endif
/* The first `count` (1 to 4) of four floats. */
void store_some(int at, vec4 value, int count) {
  store(at, value.x);
  if (count > 1) store(at + 1, value.y);
  if (count > 2) store(at + 2, value.z);
  if (count > 3) store(at + 3, value.w);
}

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
