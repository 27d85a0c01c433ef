/* Between f32 and 8 bits, and 8-bit operators without weights: QuantizeLinear, DequantizeLinear, QLinearAdd, QLinearMul, QLinearTable,
 * QLinearGlobalAveragePool. */
#include "cpu/families.h"
#include "cpu/qtile.h"
#include "cpu/walk.h"

/* Up to a vector of bytes, `step` apart. */
FV_INLINE FvInt load_byte_step(const uint8_t *p, int64_t step, int64_t left, bool is_signed) {
  if (step == 1) return fv_int_from_bytes(p, is_signed);
  uint8_t lanes[FV_LANES + 16] = {0};
  for (int64_t i = 0; i < FV_LANES && i < left; i++) lanes[i] = p[i * step];
  return fv_int_from_bytes(lanes, is_signed);
}

static bool walks(const FvTensor *const *tensors, int count) {
  FvWalk w;
  fv_walk_init(&w, count, tensors);
  return fv_walk_step(&w, 0) == 1;
}

static bool is_signed_type(const FvTensor *t) { return t->dtype == FV_DTYPE_I8; }

/* ---- QuantizeLinear: bytes of x / scale ---- */

static bool suits_quantize(const FvKernelQuery *q) {
  const FvTensor *x = q->in[0], *y = q->out[0];
  return fv_is_f32(x) && fv_is_8bit(y) && fv_q_per_tensor(q->in[1], fv_query_input(q, 2)) && walks((const FvTensor *const[]){y, x}, 2);
}

static void run_quantize(const FvKernelCall *call) {
  const FvTensor *x = call->in[0], *y = call->out[0];
  FvQuantised out = fv_quantised(is_signed_type(y), fv_q_zero(fv_call_input(call, 2), 0));
  FvVec scale = fv_dup(fv_q_scale(call->in[1], 0));
  FvWalk w;
  fv_walk_init(&w, 2, (const FvTensor *const[]){y, x});
  int64_t step = fv_walk_step(&w, 1);
  for (bool more = fv_walk_begin(&w, call->part, call->parts); more; more = fv_walk_next(&w)) {
    const float *from = (const float *)x->data + w.offset[1];
    uint8_t *to = (uint8_t *)y->data + w.offset[0];
    int64_t n = fv_walk_length(&w);
    for (int64_t i = 0; i < n; i += FV_LANES) {
      FvVec v;
      if (step == 1) {
        v = fv_load(from + i);
      } else {
        float lanes[FV_LANES] = {0};
        for (int64_t k = 0; k < FV_LANES && k < n - i; k++) lanes[k] = from[(i + k) * step];
        v = fv_load(lanes);
      }
      fv_int_store_bytes(to + i, fv_quantise(fv_div(v, scale), &out), n - i);
    }
  }
}

/* ---- DequantizeLinear: (x - zero) * scale ---- */

static bool suits_dequantize(const FvKernelQuery *q) {
  const FvTensor *x = q->in[0], *y = q->out[0];
  return fv_is_8bit(x) && fv_is_f32(y) && fv_q_per_tensor(q->in[1], fv_query_input(q, 2)) && walks((const FvTensor *const[]){y, x}, 2);
}

static void run_dequantize(const FvKernelCall *call) {
  const FvTensor *x = call->in[0], *y = call->out[0];
  FvInt zero = fv_int_dup(-fv_q_zero(fv_call_input(call, 2), 0));
  FvVec scale = fv_dup(fv_q_scale(call->in[1], 0));
  bool is_signed = is_signed_type(x);
  FvWalk w;
  fv_walk_init(&w, 2, (const FvTensor *const[]){y, x});
  int64_t step = fv_walk_step(&w, 1);
  for (bool more = fv_walk_begin(&w, call->part, call->parts); more; more = fv_walk_next(&w)) {
    const uint8_t *from = (const uint8_t *)x->data + w.offset[1];
    float *to = (float *)y->data + w.offset[0];
    int64_t n = fv_walk_length(&w);
    for (int64_t i = 0; i < n; i += FV_LANES) {
      FvInt steps = fv_int_add(load_byte_step(from + i * step, step, n - i, is_signed), zero);
      FvVec v = fv_mul(fv_int_to_float(steps), scale);
      if (n - i >= FV_LANES)
        fv_store(to + i, v);
      else
        fv_store_n(to + i, v, n - i);
    }
  }
}

/* ---- QLinearAdd and QLinearMul ---- */

static bool suits_binary(const FvKernelQuery *q) {
  const FvTensor *a = q->in[0], *b = q->in[3], *y = q->out[0];
  if (!fv_is_8bit(a) || !fv_is_8bit(b) || !fv_is_8bit(y) || !fv_q_output_suits(q)) return false;
  return fv_q_per_tensor(q->in[1], q->in[2]) && fv_q_per_tensor(q->in[4], q->in[5]) && fv_q_per_tensor(q->in[6], fv_query_input(q, 7)) &&
         walks((const FvTensor *const[]){y, a, b}, 3);
}

typedef struct Terms {
  FvVec a_factor, b_factor; /* of a sum; of a product a_factor alone */
  FvInt a_zero, b_zero;
  bool is_signed, multiply;
} Terms;

FV_INLINE FvVec combine(const Terms *t, FvInt a, FvInt b) {
  a = fv_int_add(a, t->a_zero);
  b = fv_int_add(b, t->b_zero);
  if (t->multiply) return fv_mul(fv_int_to_float(fv_int_mul(a, b)), t->a_factor);
  return fv_add(fv_mul(fv_int_to_float(a), t->a_factor), fv_mul(fv_int_to_float(b), t->b_factor));
}

FV_INLINE void run_binary(const FvKernelCall *call, const bool multiply) {
  const FvTensor *a = call->in[0], *b = call->in[3], *y = call->out[0];
  float a_scale = fv_q_scale(call->in[1], 0), b_scale = fv_q_scale(call->in[4], 0), y_scale = fv_q_scale(call->in[6], 0);
  FvQuantised out = fv_quantised_of(call->node, y, call->in[6], fv_call_input(call, 7));
  Terms t = {fv_dup(multiply ? a_scale * b_scale / y_scale : a_scale / y_scale), fv_dup(b_scale / y_scale), fv_int_dup(-fv_q_zero(call->in[2], 0)),
             fv_int_dup(-fv_q_zero(call->in[5], 0)), is_signed_type(a), multiply};
  FvWalk w;
  fv_walk_init(&w, 3, (const FvTensor *const[]){y, a, b});
  int64_t a_step = fv_walk_step(&w, 1), b_step = fv_walk_step(&w, 2);
  for (bool more = fv_walk_begin(&w, call->part, call->parts); more; more = fv_walk_next(&w)) {
    const uint8_t *pa = (const uint8_t *)a->data + w.offset[1], *pb = (const uint8_t *)b->data + w.offset[2];
    uint8_t *to = (uint8_t *)y->data + w.offset[0];
    int64_t n = fv_walk_length(&w);
    for (int64_t i = 0; i < n; i += FV_LANES) {
      FvInt va = load_byte_step(pa + i * a_step, a_step, n - i, t.is_signed), vb = load_byte_step(pb + i * b_step, b_step, n - i, t.is_signed);
      fv_int_store_bytes(to + i, fv_quantise(combine(&t, va, vb), &out), n - i);
    }
  }
}

static void run_add(const FvKernelCall *call) { run_binary(call, false); }
static void run_mul(const FvKernelCall *call) { run_binary(call, true); }

/* ---- QLinearTable ---- */

static bool suits_table(const FvKernelQuery *q) {
  const FvTensor *table = q->in[1];
  return fv_is_8bit(q->in[0]) && table && table->data && table->strides[0] == 1 && walks((const FvTensor *const[]){q->out[0], q->in[0]}, 2);
}

/* Eight at a time: one load of bytes, one store. */
static void look_up(uint8_t *to, const uint8_t *from, int64_t n, const uint8_t *table) {
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    uint64_t bytes, result = 0;
    memcpy(&bytes, from + i, sizeof bytes);
#pragma GCC unroll 8
    for (int k = 0; k < 8; k++) result |= (uint64_t)table[bytes >> (8 * k) & 0xff] << (8 * k);
    memcpy(to + i, &result, sizeof result);
  }
  for (; i < n; i++) to[i] = table[from[i]];
}

static void run_table(const FvKernelCall *call) {
  const FvTensor *x = call->in[0], *y = call->out[0];
  const uint8_t *table = call->in[1]->data;
  FvWalk w;
  fv_walk_init(&w, 2, (const FvTensor *const[]){y, x});
  int64_t step = fv_walk_step(&w, 1);
  for (bool more = fv_walk_begin(&w, call->part, call->parts); more; more = fv_walk_next(&w)) {
    const uint8_t *from = (const uint8_t *)x->data + w.offset[1];
    uint8_t *to = (uint8_t *)y->data + w.offset[0];
    int64_t n = fv_walk_length(&w);
    if (step == 1)
      look_up(to, from, n, table);
    else
      for (int64_t i = 0; i < n; i++) to[i] = table[from[i * step]];
  }
}

/* ---- QLinearGlobalAveragePool over the planes of channels-last pictures ---- */

static bool suits_global_average(const FvKernelQuery *q) {
  FvImage in, out;
  if (!fv_is_8bit(q->in[0]) || !fv_is_8bit(q->out[0]) || fv_node_int(q->node, "channels_last", 0)) return false;
  if (!fv_image_of(q->in[0], &in) || !fv_image_of(q->out[0], &out) || !fv_image_channels_last(&in) || !fv_image_channels_last(&out)) return false;
  return in.h * in.w < 1 << 22 && fv_q_per_tensor(q->in[1], q->in[2]) && fv_q_per_tensor(q->in[3], fv_query_input(q, 4));
}

static void run_global_average(const FvKernelCall *call) {
  FvImage in, out;
  fv_image_of(call->in[0], &in);
  fv_image_of(call->out[0], &out);
  int64_t count = in.h * in.w;
  FvVec multiplier = fv_dup(fv_q_scale(call->in[1], 0) / (fv_q_scale(call->in[3], 0) * (float)count));
  FvInt start = fv_int_dup(-(int32_t)count * fv_q_zero(call->in[2], 0));
  FvQuantised to = fv_quantised(is_signed_type(call->out[0]), fv_q_zero(fv_call_input(call, 4), 0));
  bool is_signed = is_signed_type(call->in[0]);
  FvRange r = fv_split(in.c, 64, call->part, call->parts);
  for (int64_t n = 0; n < in.n; n++)
    for (int64_t c = r.begin; c < r.end; c += FV_LANES) {
      const uint8_t *plane = (const uint8_t *)call->in[0]->data + n * in.sn + c;
      FvInt sum = start;
      for (int64_t y = 0; y < in.h; y++)
        for (int64_t x = 0; x < in.w; x++) sum = fv_int_add(sum, fv_int_from_bytes(plane + y * in.sh + x * in.sw, is_signed));
      fv_int_store_bytes((uint8_t *)call->out[0]->data + n * out.sn + c, fv_quantise(fv_mul(fv_int_to_float(sum), multiplier), &to), r.end - c);
    }
}

const FvKernel FV_ISA(fv_kernels_quantise)[] = {
  {FV_KERNEL_NAME("quantize_8bit"), FV_OP_QUANTIZE, FV_ISA_FLAGS, FV_KERNEL_PARALLEL, suits_quantize, NULL, NULL, NULL, run_quantize},
  {FV_KERNEL_NAME("dequantize_8bit"), FV_OP_DEQUANTIZE, FV_ISA_FLAGS, FV_KERNEL_PARALLEL, suits_dequantize, NULL, NULL, NULL, run_dequantize},
  {FV_KERNEL_NAME("qlinear_add_8bit"), FV_OP_QLINEAR_ADD, FV_ISA_FLAGS, FV_KERNEL_PARALLEL, suits_binary, NULL, NULL, NULL, run_add},
  {FV_KERNEL_NAME("qlinear_mul_8bit"), FV_OP_QLINEAR_MUL, FV_ISA_FLAGS, FV_KERNEL_PARALLEL, suits_binary, NULL, NULL, NULL, run_mul},
  {FV_KERNEL_NAME("qlinear_table_8bit"), FV_OP_QLINEAR_TABLE, FV_ISA_FLAGS, FV_KERNEL_PARALLEL, suits_table, NULL, NULL, NULL, run_table},
  {FV_KERNEL_NAME("qlinear_global_average_pool_8bit"), FV_OP_QLINEAR_GLOBAL_AVERAGE_POOL, FV_ISA_FLAGS, FV_KERNEL_PARALLEL, suits_global_average, NULL,
   NULL, NULL, run_global_average},
  {0},
};
