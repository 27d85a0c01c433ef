/* Functions of bytes, element by element: shaders/qmap.comp. */
#include <math.h>
#include <string.h>

#include "vulkan/quantised.h"

#include "push/qmap.h"

enum { TABLE_BYTES = 256, FLOATS_BYTES = 256 * 4, THRESHOLDS_BYTES = (4 + 255) * 4, PARAMS_BYTES = 32 };

/* --- one launch --- */

typedef struct Qmap {
  FvTensor y, a, b; /* data unused; b counts when binary, and inputs broadcast to y */
  int32_t y_at, a_at, b_at, table_at;
  bool a_in_weights, b_in_weights, binary;
  uint32_t operation;
  FvDtype dtype; /* of the bytes */
  FvActivationType activation;
} Qmap;

static bool walk_of(const FvTensor *y, const FvTensor *a, const FvTensor *b, FvVkWalk *walk) {
  const FvTensor *tensors[] = {y, a, b};
  int count = b ? 3 : 2;
  fv_vk_walk(tensors, count, walk);
  for (int t = 0; t < count; t++)
    for (int d = 0; d < walk->rank; d++)
      if (walk->strides[t][d] > INT32_MAX || walk->strides[t][d] < INT32_MIN) return false;
  return walk->rank <= QMAP_RANK;
}

static int launch(FvVkEmit *emit, const Qmap *map) {
  FvVkWalk walk;
  walk_of(&map->y, &map->a, map->binary ? &map->b : NULL, &walk);
  struct FvQmapPush push = {.y_at = map->y_at, .a_at = map->a_at, .b_at = map->b_at, .table_at = map->table_at};
  int64_t rows = 1, inner = walk.dims[walk.rank - 1];
  for (int d = 0; d < walk.rank; d++) {
    push.dims[d] = (int)walk.dims[d];
    push.y_strides[d] = (int)walk.strides[0][d];
    push.a_strides[d] = (int)walk.strides[1][d];
    push.b_strides[d] = (int)walk.strides[2][d];
    if (d < walk.rank - 1) rows *= walk.dims[d];
  }
  FvVkLaunch job = {
    .shader = FV_SHADER_QMAP, .params = &push, .params_size = sizeof push, .invocations = rows * fv_vk_ceil_div(inner, 4), .independent = true, .spec_count = 9,
    .spec = {map->operation, map->activation, (uint32_t)walk.rank, map->dtype, fv_vk_bytes_lie(fv_vk_walk_aligned(&walk, 0, map->y_at), inner), fv_vk_walk_aligned(&walk, 1, map->a_at),
             map->binary && fv_vk_walk_aligned(&walk, 2, map->b_at), map->a_in_weights, map->b_in_weights},
  };
  return fv_vk_launch(emit, &job);
}

/* --- copies --- */

bool fv_vk_copy_bytes_fits(const FvTensor *y, const FvTensor *a) {
  FvVkWalk walk;
  return fv_dtype_size(y->dtype) == 1 && y->dtype == a->dtype && walk_of(y, a, NULL, &walk);
}

int fv_vk_copy_bytes(FvVkEmit *emit, const FvTensor *y, int64_t y_at, const FvTensor *a, int64_t a_at, bool a_in_weights) {
  return launch(emit, &(Qmap){.y = *y, .a = *a, .y_at = (int32_t)y_at, .a_at = (int32_t)a_at, .a_in_weights = a_in_weights, .operation = QMAP_COPY, .dtype = FV_DTYPE_U8});
}

/* --- functions of one byte: the reference computes the table --- */

/* What the operator makes of all 256 bytes, in the order of their bits. Inputs `first` on are x, its scale and so on, as many as `count`. */
static void tabulate(const FvKernelQuery *q, int first, int count, void *table) {
  uint8_t bytes[256];
  for (int i = 0; i < 256; i++) bytes[i] = (uint8_t)i;
  FvTensor x = {.dtype = q->in[first]->dtype, .rank = 1, .dims = {256}, .strides = {1}, .data = bytes}, y = {.dtype = q->out[0]->dtype, .rank = 1, .dims = {256}, .strides = {1}, .data = table};
  const FvTensor *in[8] = {NULL};
  FvTensor *out[] = {&y};
  FvConcatParams line = {.axis = 0};
  FvNode node = *q->node;
  for (int i = 0; i < q->node->input_count && i < count; i++) in[i] = i == first ? &x : q->in[i];
  if (node.op->kind == FV_OP_QLINEAR_CONCAT) node.params = &line;
  node.input_count = count;
  node.op->reference(&(FvKernelCall){.node = &node, .in = in, .out = out, .parts = 1});
}

static bool suits_unary(const FvKernelQuery *q) {
  FvVkWalk walk;
  return fv_vk_is_8bit(q->in[0]) && !q->in[0]->data && q->out[0] && q->in[0]->dtype == q->out[0]->dtype && fv_vk_per_tensor(q, 1) && fv_vk_per_tensor(q, 3) &&
         q->node->activation.type == FV_ACTIVATION_NONE && walk_of(q->out[0], q->in[0], NULL, &walk);
}

static size_t table_size(const FvKernelQuery *q) {
  (void)q;
  return TABLE_BYTES;
}

static void pack_unary(const FvKernelQuery *q, void *packed) { tabulate(q, 0, q->node->input_count, packed); }

static int emit_one(FvVkEmit *emit, uint32_t operation, FvDtype dtype) {
  FvVkPlace x = fv_vk_input(emit, 0), y = fv_vk_output(emit, 0);
  return launch(emit, &(Qmap){.y = *y.tensor, .a = *x.tensor, .y_at = y.at, .a_at = x.at, .table_at = emit->packed_at, .operation = operation, .dtype = dtype});
}

static int emit_table(FvVkEmit *emit) { return emit_one(emit, QMAP_TABLE, FV_DTYPE_U8); }

static bool suits_given_table(const FvKernelQuery *q) {
  FvVkWalk walk;
  return fv_vk_is_8bit(q->in[0]) && !q->in[0]->data && q->in[1] && q->in[1]->data && q->out[0] && walk_of(q->out[0], q->in[0], NULL, &walk);
}

static void pack_given_table(const FvKernelQuery *q, void *packed) {
  for (int64_t i = 0; i < 256; i++) ((uint8_t *)packed)[i] = ((const uint8_t *)q->in[1]->data)[i * q->in[1]->strides[0]];
}

/* --- DequantizeLinear --- */

static bool suits_dequantize(const FvKernelQuery *q) {
  FvVkWalk walk;
  return fv_vk_is_8bit(q->in[0]) && !q->in[0]->data && fv_vk_is_f32(q->out[0]) && fv_vk_per_tensor(q, 1) && walk_of(q->out[0], q->in[0], NULL, &walk);
}

static size_t floats_size(const FvKernelQuery *q) {
  (void)q;
  return FLOATS_BYTES;
}

static void pack_dequantize(const FvKernelQuery *q, void *packed) { tabulate(q, 0, q->node->input_count, packed); }
static int emit_dequantize(FvVkEmit *emit) { return emit_one(emit, QMAP_FLOATS, FV_DTYPE_U8); }

/* --- QuantizeLinear --- */

/* The step's number, counted from the lowest, that the reference gives x. */
static int step_of(float x, float scale, int zero) {
  float steps = rintf(x / scale) + (float)zero;
  return steps > 0 ? steps < 255 ? (int)steps : 255 : 0;
}

/* Floats in their order, as integers: so that halving finds where the result changes. */
static float float_of_order(int32_t order) {
  int32_t bits = order < 0 ? (int32_t)(0x80000000u - (uint32_t)order) : order;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static float smallest_of_step(int step, float scale, int zero) {
  int32_t low = -0x7f800000, high = 0x7f800000; /* the infinities: not reached, reached */
  while (high - (int64_t)low > 1) {
    int32_t middle = (int32_t)(((int64_t)low + high) >> 1);
    *(step_of(float_of_order(middle), scale, zero) >= step ? &high : &low) = middle;
  }
  return float_of_order(high);
}

static bool suits_quantize(const FvKernelQuery *q) {
  FvVkWalk walk;
  if (!fv_vk_is_f32(q->in[0]) || q->in[0]->data || !fv_vk_is_8bit(q->out[0]) || !fv_vk_per_tensor(q, 1)) return false;
  float scale = (float)fv_quant_param(q->in[1], 0);
  return scale > 0 && isfinite(1 / scale) && isfinite(scale) && walk_of(q->out[0], q->in[0], NULL, &walk);
}

static size_t thresholds_size(const FvKernelQuery *q) {
  (void)q;
  return THRESHOLDS_BYTES;
}

static void pack_quantize(const FvKernelQuery *q, void *packed) {
  float scale = (float)fv_quant_param(q->in[1], 0), *to = packed;
  int zero = (int)fv_quant_param(fv_query_input(q, 2), 0) + (q->out[0]->dtype == FV_DTYPE_I8 ? 128 : 0);
  to[0] = 1 / scale;
  to[1] = (float)zero;
  for (int step = 1; step < 256; step++) to[3 + step] = smallest_of_step(step, scale, zero);
}

static int emit_quantize(FvVkEmit *emit) { return emit_one(emit, QMAP_THRESHOLDS, emit->query.out[0]->dtype); }

/* --- QLinearAdd, QLinearMul --- */

static bool suits_binary(const FvKernelQuery *q) {
  FvVkWalk walk;
  const FvTensor *a = q->in[0], *b = q->in[3], *y = q->out[0];
  if (!fv_vk_is_8bit(a) || !b || b->dtype != a->dtype || !y || y->dtype != a->dtype || !fv_activates_steps(q->node->activation.type)) return false;
  if ((a->data && !fv_tensor_is_contiguous(a)) || (b->data && !fv_tensor_is_contiguous(b))) return false;
  return fv_vk_per_tensor(q, 1) && fv_vk_per_tensor(q, 4) && fv_vk_per_tensor(q, 6) && walk_of(y, a, b, &walk);
}

static size_t constant_bytes(const FvTensor *t) { return t->data ? (size_t)(fv_tensor_count(t) + 3) / 4 * 4 : 0; }
static size_t binary_size(const FvKernelQuery *q) { return PARAMS_BYTES + constant_bytes(q->in[0]) + constant_bytes(q->in[3]); }

static void pack_binary(const FvKernelQuery *q, void *packed) {
  float a_scale = (float)fv_quant_param(q->in[1], 0), b_scale = (float)fv_quant_param(q->in[4], 0), y_scale = (float)fv_quant_param(q->in[6], 0);
  bool add = q->node->op->kind == FV_OP_QLINEAR_ADD;
  FvActivation act = fv_vk_activation_in_steps(q->node->activation, y_scale);
  int32_t zeros[] = {(int32_t)fv_quant_param(q->in[2], 0), (int32_t)fv_quant_param(q->in[5], 0), (int32_t)fv_quant_param(fv_query_input(q, 7), 0)};
  float factors[] = {add ? a_scale / y_scale : a_scale * b_scale / y_scale, b_scale / y_scale, act.alpha, act.beta};
  char *to = packed;
  memcpy(to, zeros, sizeof zeros);
  memcpy(to + sizeof zeros, factors, sizeof factors);
  to += PARAMS_BYTES;
  if (q->in[0]->data) memcpy(to, q->in[0]->data, (size_t)fv_tensor_count(q->in[0]));
  if (q->in[3]->data) memcpy(to + constant_bytes(q->in[0]), q->in[3]->data, (size_t)fv_tensor_count(q->in[3]));
}

static int emit_binary(FvVkEmit *emit) {
  FvVkPlace a = fv_vk_input(emit, 0), b = fv_vk_input(emit, 3), y = fv_vk_output(emit, 0);
  int32_t constants = emit->packed_at * 4 + PARAMS_BYTES;
  return launch(emit, &(Qmap){
    .y = *y.tensor, .a = *a.tensor, .b = *b.tensor, .y_at = y.at, .a_at = a.in_weights ? constants : a.at,
    .b_at = b.in_weights ? constants + (int32_t)constant_bytes(a.tensor) : b.at, .table_at = emit->packed_at, .a_in_weights = a.in_weights, .b_in_weights = b.in_weights,
    .binary = true, .operation = emit->node->op->kind == FV_OP_QLINEAR_ADD ? QMAP_ADD : QMAP_MUL, .dtype = y.tensor->dtype, .activation = emit->node->activation.type});
}

/* --- QLinearConcat: each part by a table of its own --- */

static FvTensor part_of(const FvTensor *y, int axis, int64_t length) {
  FvTensor part = *y;
  part.dims[axis] = length;
  return part;
}

static bool suits_concat(const FvKernelQuery *q) {
  int axis = ((const FvConcatParams *)q->node->params)->axis;
  FvVkWalk walk;
  if (!q->out[0] || !fv_vk_per_tensor(q, 0)) return false;
  for (int i = 2; i < q->node->input_count; i += 3) {
    if (!fv_vk_is_8bit(q->in[i]) || q->in[i]->data || q->in[i]->dtype != q->out[0]->dtype || !fv_vk_per_tensor(q, i + 1)) return false;
    FvTensor part = part_of(q->out[0], axis, q->in[i]->dims[axis]);
    if (!walk_of(&part, q->in[i], NULL, &walk)) return false;
  }
  return true;
}

static size_t concat_size(const FvKernelQuery *q) { return (size_t)(q->node->input_count / 3) * TABLE_BYTES; }

static void pack_concat(const FvKernelQuery *q, void *packed) {
  uint8_t *to = packed;
  for (int i = 2; i < q->node->input_count; i += 3, to += TABLE_BYTES) {
    const FvTensor *in[] = {q->in[0], q->in[1], q->in[i], q->in[i + 1], q->in[i + 2]};
    tabulate(&(FvKernelQuery){q->node, in, q->out}, 2, 5, to);
  }
}

static int emit_concat(FvVkEmit *emit) {
  int axis = ((const FvConcatParams *)emit->node->params)->axis, result = 0;
  FvVkPlace y = fv_vk_output(emit, 0);
  int64_t at = 0;
  for (int i = 2; i < emit->node->input_count && result == 0; i += 3) {
    FvVkPlace x = fv_vk_input(emit, i);
    Qmap map = {.y = part_of(y.tensor, axis, x.tensor->dims[axis]), .a = *x.tensor, .y_at = (int32_t)(y.at + at * y.tensor->strides[axis]), .a_at = x.at,
                .table_at = emit->packed_at + (i - 2) / 3 * (TABLE_BYTES / 4), .operation = QMAP_TABLE, .dtype = FV_DTYPE_U8};
    at += x.tensor->dims[axis];
    if (fv_tensor_count(x.tensor)) result = launch(emit, &map);
  }
  return result;
}

#define BINARY(title, kind) {.name = title "_vulkan", .op = kind, .suits = suits_binary, .packed_size = binary_size, .pack = pack_binary, .emit = emit_binary}
const FvVkKernel fv_vk_qmaps[] = {
  BINARY("qlinear_add", FV_OP_QLINEAR_ADD), BINARY("qlinear_mul", FV_OP_QLINEAR_MUL),
  {.name = "qlinear_table_vulkan", .op = FV_OP_QLINEAR_TABLE, .suits = suits_given_table, .packed_size = table_size, .pack = pack_given_table, .emit = emit_table},
  {.name = "qlinear_unary_vulkan", .op = FV_OP_QLINEAR_UNARY, .suits = suits_unary, .packed_size = table_size, .pack = pack_unary, .emit = emit_table},
  {.name = "qlinear_concat_vulkan", .op = FV_OP_QLINEAR_CONCAT, .suits = suits_concat, .packed_size = concat_size, .pack = pack_concat, .emit = emit_concat},
  {.name = "quantize_vulkan", .op = FV_OP_QUANTIZE, .suits = suits_quantize, .packed_size = thresholds_size, .pack = pack_quantize, .emit = emit_quantize},
  {.name = "dequantize_vulkan", .op = FV_OP_DEQUANTIZE, .suits = suits_dequantize, .packed_size = floats_size, .pack = pack_dequantize, .emit = emit_dequantize},
  {0}};
