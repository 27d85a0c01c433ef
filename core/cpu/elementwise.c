/* f32 elementwise operators: unary functions, binary arithmetic with broadcasting, PRelu, BatchNormalization. */
#include "cpu/families.h"
#include "cpu/simd.h"
#include "cpu/walk.h"

/* A vector from memory with any step. Steps of 1 read up to a vector past the end, which tensors allow. */
FV_INLINE FvVec load_step(const float *p, int64_t step, int64_t left) {
  if (step == 1) return fv_load(p);
  if (step == 0) return fv_dup(*p);
  float lanes[FV_LANES] = {0};
  for (int64_t i = 0; i < FV_LANES && i < left; i++) lanes[i] = p[i * step];
  return fv_load(lanes);
}

FV_INLINE void store_left(float *p, FvVec v, int64_t left) {
  if (left >= FV_LANES)
    fv_store(p, v);
  else
    fv_store_n(p, v, left);
}

/* The output must be written in runs. */
static bool walks(const FvTensor *const *tensors, int count) {
  FvWalk w;
  for (int i = 0; i < count; i++)
    if (!fv_is_f32(tensors[i])) return false;
  fv_walk_init(&w, count, tensors);
  return fv_walk_step(&w, 0) == 1;
}

/* ---- Unary ---- */

static bool unary_type_suits(const FvUnaryParams *p) {
  switch (p->type) {
    case FV_UNARY_ACTIVATION: case FV_UNARY_ELU: case FV_UNARY_MISH: case FV_UNARY_GELU_TANH: case FV_UNARY_EXP: case FV_UNARY_SQRT: case FV_UNARY_ABS:
    case FV_UNARY_NEG: case FV_UNARY_FLOOR: case FV_UNARY_CEIL: case FV_UNARY_ROUND: case FV_UNARY_RECIPROCAL: case FV_UNARY_SOFTSIGN: return true;
    default: return false;
  }
}

static bool suits_unary(const FvKernelQuery *q) {
  return unary_type_suits(q->node->params) && walks((const FvTensor *const[]){q->out[0], q->in[0]}, 2);
}

/* e^x - 1 for x <= 0: the series where the difference would cancel. */
FV_INLINE FvVec expm1_negative(FvVec x) {
  FvVec p = fv_dup(1.0f / 720);
  p = fv_fma(p, x, fv_dup(1.0f / 120));
  p = fv_fma(p, x, fv_dup(1.0f / 24));
  p = fv_fma(p, x, fv_dup(1.0f / 6));
  p = fv_fma(p, x, fv_dup(0.5f));
  p = fv_fma(fv_mul(p, x), x, x);
  return fv_select(fv_less(x, fv_dup(-0.3f)), fv_sub(fv_exp(x), fv_dup(1)), p);
}

/* x tanh(ln(1 + e^x)) = x n / (n + 2), n = e^x (e^x + 2); beyond 20 the quotient is 1. */
FV_INLINE FvVec mish(FvVec x) {
  FvVec e = fv_exp(fv_min(x, fv_dup(20)));
  FvVec n = fv_mul(e, fv_add(e, fv_dup(2)));
  return fv_mul(x, fv_div(n, fv_add(n, fv_dup(2))));
}

/* With y = sqrt(2/pi) (x + 0.044715 x^3): x (1 + tanh y) / 2 = x sigmoid(2 y). */
FV_INLINE FvVec gelu_tanh(FvVec x) {
  FvVec y = fv_mul(x, fv_fma(fv_mul(x, x), fv_dup(2 * 0.797884561f * 0.044715f), fv_dup(2 * 0.797884561f)));
  return fv_mul(x, fv_sigmoid(y));
}

#define UNARY_LOOP(expression)                                      \
  for (int64_t i = 0; i < n; i += FV_LANES) {                       \
    FvVec x = load_step(in + i * step, step, n - i);                \
    store_left(out + i, expression, n - i);                         \
  }                                                                 \
  break
/* The type as a constant, so that the choice is made once per run of elements and not per vector. */
#define ACTIVATION(name) case name: UNARY_LOOP(fv_vec_activate(((FvActivation){name, act.alpha, act.beta}), x))

static void activation_run(FvActivation act, float *out, const float *in, int64_t step, int64_t n) {
  switch (act.type) {
    ACTIVATION(FV_ACTIVATION_RELU);
    ACTIVATION(FV_ACTIVATION_CLIP);
    ACTIVATION(FV_ACTIVATION_LEAKY_RELU);
    ACTIVATION(FV_ACTIVATION_SIGMOID);
    ACTIVATION(FV_ACTIVATION_SILU);
    ACTIVATION(FV_ACTIVATION_TANH);
    ACTIVATION(FV_ACTIVATION_HARD_SIGMOID);
    ACTIVATION(FV_ACTIVATION_HARD_SWISH);
    default: UNARY_LOOP(x);
  }
}

static void unary_run(const FvUnaryParams *p, float *out, const float *in, int64_t step, int64_t n) {
  switch (p->type) {
    case FV_UNARY_ACTIVATION: activation_run(p->activation, out, in, step, n); break;
    case FV_UNARY_ELU: UNARY_LOOP(fv_select(fv_less(x, fv_zero()), fv_mul(fv_dup(p->alpha), expm1_negative(x)), x));
    case FV_UNARY_MISH: UNARY_LOOP(mish(x));
    case FV_UNARY_GELU_TANH: UNARY_LOOP(gelu_tanh(x));
    case FV_UNARY_EXP: UNARY_LOOP(fv_exp(x));
    case FV_UNARY_SQRT: UNARY_LOOP(fv_sqrt(x));
    case FV_UNARY_ABS: UNARY_LOOP(fv_abs(x));
    case FV_UNARY_NEG: UNARY_LOOP(fv_sub(fv_dup(-0.0f), x));
    case FV_UNARY_FLOOR: UNARY_LOOP(fv_floor(x));
    case FV_UNARY_CEIL: UNARY_LOOP(fv_ceil(x));
    case FV_UNARY_ROUND: UNARY_LOOP(fv_rint(x));
    case FV_UNARY_RECIPROCAL: UNARY_LOOP(fv_div(fv_dup(1), x));
    case FV_UNARY_SOFTSIGN: UNARY_LOOP(fv_div(x, fv_add(fv_dup(1), fv_abs(x))));
    default: break;
  }
}

static void run_unary(const FvKernelCall *call) {
  const FvTensor *in = call->in[0];
  FvTensor out = *call->out[0];
  if (in->rank && call->part == 0) call->out[0]->dims[0] = in->dims[0]; /* lowered together when dynamic */
  if (in->rank) out.dims[0] = in->dims[0];
  FvWalk w;
  fv_walk_init(&w, 2, (const FvTensor *const[]){&out, in});
  for (bool more = fv_walk_begin(&w, call->part, call->parts); more; more = fv_walk_next(&w))
    unary_run(call->node->params, (float *)out.data + w.offset[0], (const float *)in->data + w.offset[1], fv_walk_step(&w, 1), fv_walk_length(&w));
}

/* ---- Binary ---- */

static bool suits_binary(const FvKernelQuery *q) {
  const FvBinaryParams *p = q->node->params;
  switch (p->type) {
    case FV_BINARY_ADD: case FV_BINARY_SUB: case FV_BINARY_MUL: case FV_BINARY_DIV: case FV_BINARY_MIN: case FV_BINARY_MAX: break;
    default: return false;
  }
  return q->node->input_count == 2 && !p->mean && walks((const FvTensor *const[]){q->out[0], q->in[0], q->in[1]}, 3);
}

/* NaN wins, as in numpy. */
FV_INLINE FvVec nan_of(FvVec a, FvVec b, FvVec otherwise) {
  return fv_select(fv_unordered(a), a, fv_select(fv_unordered(b), b, otherwise));
}

#define BINARY_LOOP(expression)                                                                              \
  if (a_step == 1 && b_step == 1 && !e->curved) {                                                            \
    for (int64_t i = 0; i < n; i += FV_LANES) {                                                              \
      FvVec a = fv_load(pa + i), b = fv_load(pb + i);                                                        \
      store_left(out + i, fv_epilogue_apply(e, expression), n - i);                                          \
    }                                                                                                        \
  } else {                                                                                                   \
    for (int64_t i = 0; i < n; i += FV_LANES) {                                                              \
      FvVec a = load_step(pa + i * a_step, a_step, n - i), b = load_step(pb + i * b_step, b_step, n - i);    \
      store_left(out + i, fv_epilogue_apply(e, expression), n - i);                                          \
    }                                                                                                        \
  }                                                                                                          \
  break

static void binary_run(FvBinaryType type, const FvEpilogue *e, float *out, const float *pa, int64_t a_step, const float *pb, int64_t b_step, int64_t n) {
  switch (type) {
    case FV_BINARY_ADD: BINARY_LOOP(fv_add(a, b));
    case FV_BINARY_SUB: BINARY_LOOP(fv_sub(a, b));
    case FV_BINARY_MUL: BINARY_LOOP(fv_mul(a, b));
    case FV_BINARY_DIV: BINARY_LOOP(fv_div(a, b));
    case FV_BINARY_MIN: BINARY_LOOP(nan_of(a, b, fv_min(a, b)));
    case FV_BINARY_MAX: BINARY_LOOP(nan_of(a, b, fv_max(a, b)));
    default: break;
  }
}

/* Runs of a few elements, such as the coordinates of boxes: the two innermost dimensions go through buffers, many runs at a time. */
typedef struct Pairs {
  int64_t rows, columns;
  int64_t row_step[3], column_step[3]; /* out, a, b */
} Pairs;

/* Pairs and quadruples lying together are one load and store each. */
FV_INLINE void gather_together(float *to, const float *from, int64_t rows, int64_t row_step, const int64_t columns) {
  for (int64_t r = 0; r < rows; r++, from += row_step, to += columns) memcpy(to, from, (size_t)columns * sizeof *to);
}

FV_INLINE void scatter_together(float *to, const float *from, int64_t rows, int64_t row_step, const int64_t columns) {
  for (int64_t r = 0; r < rows; r++, from += columns, to += row_step) memcpy(to, from, (size_t)columns * sizeof *to);
}

static bool lies_together(const Pairs *p, int tensor) { return p->column_step[tensor] == 1 && p->row_step[tensor] == p->columns; }

/* The rows one behind the other: where they are, or in `to`. */
static const float *gather(float *to, const float *from, int64_t rows, const Pairs *p, int tensor) {
  int64_t row = p->row_step[tensor], column = p->column_step[tensor];
  if (lies_together(p, tensor)) return from;
  if (column == 1 && p->columns == 2) {
    gather_together(to, from, rows, row, 2);
  } else if (column == 1 && p->columns == 4) {
    gather_together(to, from, rows, row, 4);
  } else {
    float *at = to;
    for (int64_t r = 0; r < rows; r++, from += row)
      for (int64_t c = 0; c < p->columns; c++) *at++ = from[c * column];
  }
  return to;
}

static void scatter(float *to, const float *from, int64_t rows, const Pairs *p) {
  if (p->column_step[0] == 1 && p->columns == 2) {
    scatter_together(to, from, rows, p->row_step[0], 2);
  } else if (p->column_step[0] == 1 && p->columns == 4) {
    scatter_together(to, from, rows, p->row_step[0], 4);
  } else {
    for (int64_t r = 0; r < rows; r++, to += p->row_step[0])
      for (int64_t c = 0; c < p->columns; c++) to[c * p->column_step[0]] = *from++;
  }
}

static void binary_short_runs(FvBinaryType type, const FvEpilogue *e, float *out, const float *a, const float *b, const Pairs *p) {
  enum { BUFFER = 256 };
  float va[BUFFER + FV_LANES], vb[BUFFER + FV_LANES], vo[BUFFER + FV_LANES];
  const float *pa = va, *pb = vb;
  int64_t block = BUFFER / p->columns;
  bool in_place = lies_together(p, 0);
  for (int64_t r = 0; r < p->rows; r += block) {
    int64_t rows = fv_min_i64(block, p->rows - r);
    if (r == 0 || p->row_step[1]) pa = gather(va, a + r * p->row_step[1], rows, p, 1); /* a row for all of them is there already */
    if (r == 0 || p->row_step[2]) pb = gather(vb, b + r * p->row_step[2], rows, p, 2);
    float *to = out + r * p->row_step[0];
    binary_run(type, e, in_place ? to : vo, pa, 1, pb, 1, rows * p->columns);
    if (!in_place) scatter(to, vo, rows, p);
  }
}

static bool split_pairs(FvWalk *w, Pairs *p) {
  int d = w->rank - 2;
  if (w->rank < 2 || fv_walk_length(w) >= FV_LANES || w->dims[d] < 16) return false;
  *p = (Pairs){.rows = w->dims[d], .columns = fv_walk_length(w)};
  for (int t = 0; t < 3; t++) {
    p->row_step[t] = w->strides[t][d];
    p->column_step[t] = w->strides[t][d + 1];
  }
  w->dims[d] = w->dims[d + 1] = 1;
  return true;
}

static void run_binary(const FvKernelCall *call) {
  const FvTensor *a = call->in[0], *b = call->in[1], *out = call->out[0];
  FvEpilogue e = fv_epilogue(call->node->activation);
  FvBinaryType type = ((const FvBinaryParams *)call->node->params)->type;
  FvWalk w;
  Pairs pairs;
  fv_walk_init(&w, 3, (const FvTensor *const[]){out, a, b});
  if (split_pairs(&w, &pairs)) {
    int64_t planes = 1;
    for (int d = 0; d < w.rank - 2; d++) planes *= w.dims[d];
    FvRange r = planes >= call->parts ? (FvRange){0, pairs.rows} : fv_split(pairs.rows, 16, call->part, call->parts);
    pairs.rows = r.end - r.begin;
    bool by_planes = planes >= call->parts;
    for (bool more = fv_walk_begin(&w, by_planes ? call->part : 0, by_planes ? call->parts : 1); more; more = fv_walk_next(&w))
      binary_short_runs(type, &e, (float *)out->data + w.offset[0] + r.begin * pairs.row_step[0],
                        (const float *)a->data + w.offset[1] + r.begin * pairs.row_step[1],
                        (const float *)b->data + w.offset[2] + r.begin * pairs.row_step[2], &pairs);
    return;
  }
  for (bool more = fv_walk_begin(&w, call->part, call->parts); more; more = fv_walk_next(&w))
    binary_run(type, &e, (float *)out->data + w.offset[0], (const float *)a->data + w.offset[1], fv_walk_step(&w, 1),
               (const float *)b->data + w.offset[2], fv_walk_step(&w, 2), fv_walk_length(&w));
}

/* ---- PRelu ---- */

static bool suits_prelu(const FvKernelQuery *q) { return walks((const FvTensor *const[]){q->out[0], q->in[0], q->in[1]}, 3); }

static void run_prelu(const FvKernelCall *call) {
  const FvTensor *in = call->in[0], *slope = call->in[1], *out = call->out[0];
  FvWalk w;
  fv_walk_init(&w, 3, (const FvTensor *const[]){out, in, slope});
  int64_t step = fv_walk_step(&w, 1), slope_step = fv_walk_step(&w, 2);
  for (bool more = fv_walk_begin(&w, call->part, call->parts); more; more = fv_walk_next(&w)) {
    const float *x = (const float *)in->data + w.offset[1], *s = (const float *)slope->data + w.offset[2];
    int64_t n = fv_walk_length(&w);
    for (int64_t i = 0; i < n; i += FV_LANES) {
      FvVec v = load_step(x + i * step, step, n - i);
      FvVec scaled = fv_mul(v, load_step(s + i * slope_step, slope_step, n - i));
      store_left((float *)out->data + w.offset[0] + i, fv_select(fv_less(v, fv_zero()), scaled, v), n - i);
    }
  }
}

/* ---- BatchNormalization: x * scale + shift per channel; both made at load. packed: scale [C padded] | shift [C padded]. ---- */

static int64_t padded_channels(const FvTensor *x) { return fv_ceil_div(x->dims[1], 16) * 16 + 16; }

static bool suits_batch_norm(const FvKernelQuery *q) {
  const FvTensor *x = q->in[0];
  for (int i = 1; i < 5; i++)
    if (!fv_is_f32(q->in[i]) || !q->in[i]->data) return false;
  if (!fv_is_f32(x) || x->rank < 2 || q->node->output_count != 1) return false;
  return walks((const FvTensor *const[]){q->out[0], x}, 2);
}

static size_t packed_size_batch_norm(const FvKernelQuery *q) { return (size_t)padded_channels(q->in[0]) * 2 * sizeof(float); }

static void pack_batch_norm(const FvKernelQuery *q, void *packed) {
  float *scale = packed, *shift = scale + padded_channels(q->in[0]);
  float epsilon = fv_node_float(q->node, "epsilon", 1e-5f);
  for (int64_t c = 0; c < q->in[0]->dims[1]; c++) {
    const float *s = q->in[1]->data, *b = q->in[2]->data, *mean = q->in[3]->data, *variance = q->in[4]->data;
    double factor = (double)s[c * q->in[1]->strides[0]] / sqrt((double)variance[c * q->in[4]->strides[0]] + (double)epsilon);
    scale[c] = (float)factor;
    shift[c] = (float)((double)b[c * q->in[2]->strides[0]] - (double)mean[c * q->in[3]->strides[0]] * factor);
  }
}

/* Scale and shift as one tensor that broadcasts to x; the shift lies a fixed distance behind the scale. */
static void run_batch_norm(const FvKernelCall *call) {
  const FvTensor *in = call->in[0], *out = call->out[0];
  FvTensor scale = {.dtype = FV_DTYPE_F32, .rank = in->rank, .data = (void *)call->packed};
  for (int d = 0; d < in->rank; d++) scale.dims[d] = d == 1 ? in->dims[1] : 1;
  scale.strides[1] = 1;
  FvEpilogue e = fv_epilogue(call->node->activation);
  FvWalk w;
  fv_walk_init(&w, 3, (const FvTensor *const[]){out, in, &scale});
  int64_t step = fv_walk_step(&w, 1), scale_step = fv_walk_step(&w, 2), shift = padded_channels(in);
  for (bool more = fv_walk_begin(&w, call->part, call->parts); more; more = fv_walk_next(&w)) {
    const float *x = (const float *)in->data + w.offset[1], *s = (const float *)call->packed + w.offset[2];
    int64_t n = fv_walk_length(&w);
    for (int64_t i = 0; i < n; i += FV_LANES) {
      const float *at = s + i * scale_step;
      FvVec v = fv_fma(load_step(x + i * step, step, n - i), load_step(at, scale_step, n - i), load_step(at + shift, scale_step, n - i));
      store_left((float *)out->data + w.offset[0] + i, fv_epilogue_apply(&e, v), n - i);
    }
  }
}

const FvKernel FV_ISA(fv_kernels_elementwise)[] = {
  {FV_KERNEL_NAME("unary_f32"), FV_OP_UNARY, FV_ISA_FLAGS, FV_KERNEL_PARALLEL, suits_unary, NULL, NULL, NULL, run_unary},
  {FV_KERNEL_NAME("binary_f32"), FV_OP_BINARY, FV_ISA_FLAGS, FV_KERNEL_PARALLEL, suits_binary, NULL, NULL, NULL, run_binary},
  {FV_KERNEL_NAME("prelu_f32"), FV_OP_PRELU, FV_ISA_FLAGS, FV_KERNEL_PARALLEL, suits_prelu, NULL, NULL, NULL, run_prelu},
  {FV_KERNEL_NAME("batch_norm_f32"), FV_OP_BATCH_NORM, FV_ISA_FLAGS, FV_KERNEL_PARALLEL, suits_batch_norm, packed_size_batch_norm, pack_batch_norm,
   NULL, run_batch_norm},
  {0},
};
