/* Sums, means, maxima and minima over any dimensions of f32 tensors, global pooling among them, and softmax. */
#include "cpu/families.h"
#include "cpu/simd.h"
#include "cpu/walk.h"

/* ---- Reductions ----
 * The kept dimensions are walked in the output's order; the reduced ones are a small nest beside it. Either the kept run is dense, then it is
 * vectors of results, or the innermost reduced dimension is, then each result is made by adding up a vector in the end. */

typedef struct Nest {
  int rank;
  int64_t dims[FV_MAX_RANK], strides[FV_MAX_RANK];
} Nest;

typedef struct Reduction {
  FvReduceType type;
  FvWalk kept; /* out, in */
  Nest nest;
  int64_t count;
} Reduction;

static bool reduced_axes(const FvNode *node, const FvTensor *in, bool *axes, FvReduceType *type) {
  const FvReduceParams *params = node->params;
  bool global = node->op->kind != FV_OP_REDUCE;
  *type = !global ? params->type : node->op->kind == FV_OP_GLOBAL_MAX_POOL ? FV_REDUCE_MAX : FV_REDUCE_MEAN;
  for (int d = 0; d < in->rank; d++) axes[d] = global ? d >= 2 : params->axes[d];
  return *type == FV_REDUCE_SUM || *type == FV_REDUCE_MEAN || *type == FV_REDUCE_MAX || *type == FV_REDUCE_MIN;
}

/* Reduced dimensions, the densest last, neighbours merged. */
static Nest make_nest(const FvTensor *in, const bool *axes) {
  FvTensor all = {.rank = 0};
  FvWalk w;
  Nest nest = {.rank = 0};
  for (int d = 0; d < in->rank; d++) {
    if (!axes[d]) continue;
    all.dims[all.rank] = in->dims[d];
    all.strides[all.rank++] = in->strides[d];
  }
  fv_walk_init(&w, 1, (const FvTensor *const[]){&all});
  nest.rank = w.rank;
  memcpy(nest.dims, w.dims, sizeof nest.dims);
  memcpy(nest.strides, w.strides[0], sizeof nest.strides);
  return nest;
}

static bool describe(const FvKernelQuery *q, Reduction *r) {
  const FvTensor *in = q->in[0], *out = q->out[0];
  bool axes[FV_MAX_RANK] = {false};
  if (!fv_is_f32(in) || !fv_is_f32(out) || !reduced_axes(q->node, in, axes, &r->type)) return false;
  bool keep = q->node->op->kind != FV_OP_REDUCE || ((const FvReduceParams *)q->node->params)->keep_dims;
  FvTensor from = *in, to = *in;
  r->count = 1;
  for (int d = 0, o = 0; d < in->rank; d++) {
    if (axes[d]) {
      r->count *= in->dims[d];
      from.dims[d] = to.dims[d] = 1;
    } else {
      to.strides[d] = out->strides[o];
    }
    o += keep || !axes[d];
  }
  fv_walk_init(&r->kept, 2, (const FvTensor *const[]){&to, &from});
  r->nest = make_nest(in, axes);
  int64_t step = fv_walk_step(&r->kept, 0), in_step = fv_walk_step(&r->kept, 1);
  bool dense = in_step == 1 || r->nest.strides[r->nest.rank - 1] == 1;
  return r->count > 0 && (step == 1 || fv_walk_length(&r->kept) == 1) && dense;
}

static bool suits_reduce(const FvKernelQuery *q) {
  Reduction r;
  return describe(q, &r);
}

FV_INLINE FvVec fold(FvReduceType type, FvVec a, FvVec x) {
  if (type == FV_REDUCE_MAX) return fv_select(fv_unordered(x), x, fv_select(fv_less(a, x), x, a)); /* NaN stays */
  if (type == FV_REDUCE_MIN) return fv_select(fv_unordered(x), x, fv_select(fv_less(x, a), x, a));
  return fv_add(a, x);
}

static float fold1(FvReduceType type, float a, float x) {
  if (type == FV_REDUCE_MAX) return x > a || x != x ? x : a;
  if (type == FV_REDUCE_MIN) return x < a || x != x ? x : a;
  return a + x;
}

static float start_of(FvReduceType type) { return type == FV_REDUCE_MAX ? -INFINITY : type == FV_REDUCE_MIN ? INFINITY : 0; }

static bool nest_next(const Nest *nest, int64_t *index, int64_t *offset) {
  for (int d = nest->rank - 2; d >= 0; d--) {
    *offset += nest->strides[d];
    if (++index[d] < nest->dims[d]) return true;
    *offset -= nest->dims[d] * nest->strides[d];
    index[d] = 0;
  }
  return false;
}

/* Neighbouring results, one per lane. */
static FvVec reduce_lanes(const Reduction *r, const float *in) {
  const Nest *nest = &r->nest;
  int64_t index[FV_MAX_RANK] = {0}, offset = 0, n = nest->dims[nest->rank - 1], stride = nest->strides[nest->rank - 1];
  FvVec a = fv_dup(start_of(r->type)), b = a;
  do {
    const float *p = in + offset;
    int64_t i = 0;
    for (; i + 2 <= n; i += 2, p += 2 * stride) {
      a = fold(r->type, a, fv_load(p));
      b = fold(r->type, b, fv_load(p + stride));
    }
    if (i < n) a = fold(r->type, a, fv_load(p));
  } while (nest_next(nest, index, &offset));
  return fold(r->type, a, b);
}

/* One result from dense runs. */
static float reduce_one(const Reduction *r, const float *in) {
  const Nest *nest = &r->nest;
  int64_t index[FV_MAX_RANK] = {0}, offset = 0, n = nest->dims[nest->rank - 1];
  float rest = start_of(r->type), lanes[FV_LANES];
  FvVec a = fv_dup(rest);
  do {
    const float *p = in + offset;
    int64_t i = 0;
    for (; i + FV_LANES <= n; i += FV_LANES) a = fold(r->type, a, fv_load(p + i));
    for (; i < n; i++) rest = fold1(r->type, rest, p[i]);
  } while (nest_next(nest, index, &offset));
  fv_store(lanes, a);
  for (int i = 0; i < FV_LANES; i++) rest = fold1(r->type, rest, lanes[i]);
  return rest;
}

static void run_reduce(const FvKernelCall *call) {
  FvKernelQuery q = fv_call_query(call);
  Reduction r;
  describe(&q, &r);
  FvWalk *w = &r.kept;
  float factor = r.type == FV_REDUCE_MEAN ? 1.0f / (float)r.count : 1;
  int64_t in_step = fv_walk_step(w, 1);
  for (bool more = fv_walk_begin(w, call->part, call->parts); more; more = fv_walk_next(w)) {
    float *out = (float *)call->out[0]->data + w->offset[0];
    const float *in = (const float *)call->in[0]->data + w->offset[1];
    int64_t n = fv_walk_length(w);
    if (in_step != 1 || (n == 1 && r.nest.strides[r.nest.rank - 1] == 1)) {
      for (int64_t i = 0; i < n; i++) out[i] = reduce_one(&r, in + i * in_step) * factor;
      continue;
    }
    for (int64_t i = 0; i < n; i += FV_LANES) {
      FvVec v = fv_mul(reduce_lanes(&r, in + i), fv_dup(factor));
      if (i + FV_LANES <= n)
        fv_store(out + i, v);
      else
        fv_store_n(out + i, v, n - i);
    }
  }
}

/* ---- Softmax ---- */

typedef struct Softmax {
  FvWalk walk; /* out, in, without the axis */
  int64_t length, out_step, in_step; /* of the axis */
} Softmax;

static bool describe_softmax(const FvKernelQuery *q, Softmax *s) {
  const FvSoftmaxParams *params = q->node->params;
  if (!fv_is_f32(q->in[0]) || !fv_is_f32(q->out[0])) return false;
  FvTensor in = *q->in[0], out = *q->out[0];
  if (in.rank == 0) return false;
  int axis = params->axis;
  s->length = in.dims[axis];
  if (params->flatten) { /* the dimensions from the axis on as one: only where they lie as one */
    int64_t count = 1;
    for (int d = in.rank - 1; d >= axis; d--) {
      if (in.dims[d] != 1 && (in.strides[d] != count || out.strides[d] != count)) return false;
      count *= in.dims[d];
    }
    s->length = count;
    in.strides[axis] = out.strides[axis] = 1;
    in.rank = out.rank = axis + 1;
  }
  s->in_step = in.strides[axis];
  s->out_step = out.strides[axis];
  in.dims[axis] = out.dims[axis] = 1;
  fv_walk_init(&s->walk, 2, (const FvTensor *const[]){&out, &in});
  bool lanes = fv_walk_step(&s->walk, 0) == 1 && fv_walk_step(&s->walk, 1) == 1;
  return s->length > 0 && ((s->in_step == 1 && s->out_step == 1) || lanes);
}

static bool suits_softmax(const FvKernelQuery *q) {
  Softmax s;
  return describe_softmax(q, &s);
}

/* Up to a vector of floats, the missing ones so small that they count for nothing. */
FV_INLINE FvVec load_or_low(const float *p, int64_t left) {
  if (left >= FV_LANES) return fv_load(p);
  float lanes[FV_LANES];
  fv_store(lanes, fv_dup(-INFINITY));
  memcpy(lanes, p, (size_t)left * sizeof *p);
  return fv_load(lanes);
}

FV_INLINE void store_left(float *p, FvVec v, int64_t left) {
  if (left >= FV_LANES)
    fv_store(p, v);
  else
    fv_store_n(p, v, left);
}

/* Along memory. */
static void softmax_run(float *out, const float *in, int64_t n, bool logarithm) {
  FvVec peaks = fv_dup(-INFINITY), sums = fv_zero();
  for (int64_t i = 0; i < n; i += FV_LANES) peaks = fv_max(load_or_low(in + i, n - i), peaks);
  FvVec peak = fv_dup(fv_top(peaks));
  if (logarithm) {
    for (int64_t i = 0; i < n; i += FV_LANES) sums = fv_add(sums, fv_exp(fv_sub(load_or_low(in + i, n - i), peak)));
    FvVec shift = fv_add(peak, fv_dup(logf(fv_sum(sums))));
    for (int64_t i = 0; i < n; i += FV_LANES) store_left(out + i, fv_sub(fv_load(in + i), shift), n - i);
    return;
  }
  for (int64_t i = 0; i < n; i += FV_LANES) {
    FvVec e = fv_exp(fv_sub(load_or_low(in + i, n - i), peak));
    sums = fv_add(sums, e);
    store_left(out + i, e, n - i);
  }
  FvVec factor = fv_dup(1 / fv_sum(sums));
  for (int64_t i = 0; i < n; i += FV_LANES) store_left(out + i, fv_mul(fv_load(out + i), factor), n - i);
}

/* Across memory: a group per lane. */
static void softmax_lanes(const Softmax *s, float *out, const float *in, int64_t left, bool logarithm) {
  FvVec peak = fv_load(in), sum = fv_zero();
  for (int64_t i = 1; i < s->length; i++) peak = fv_max(fv_load(in + i * s->in_step), peak);
  if (logarithm) {
    float lanes[FV_LANES];
    for (int64_t i = 0; i < s->length; i++) sum = fv_add(sum, fv_exp(fv_sub(fv_load(in + i * s->in_step), peak)));
    fv_store(lanes, sum);
    for (int i = 0; i < FV_LANES; i++) lanes[i] = logf(lanes[i]);
    FvVec shift = fv_add(peak, fv_load(lanes));
    for (int64_t i = 0; i < s->length; i++) store_left(out + i * s->out_step, fv_sub(fv_load(in + i * s->in_step), shift), left);
    return;
  }
  for (int64_t i = 0; i < s->length; i++) {
    FvVec e = fv_exp(fv_sub(fv_load(in + i * s->in_step), peak));
    sum = fv_add(sum, e);
    store_left(out + i * s->out_step, e, left);
  }
  FvVec factor = fv_div(fv_dup(1), sum);
  for (int64_t i = 0; i < s->length; i++) store_left(out + i * s->out_step, fv_mul(fv_load(out + i * s->out_step), factor), left);
}

/* Short groups along memory, such as two class scores: as many as there are lanes are laid across a buffer. */
static void softmax_short(const Softmax *s, float *out, int64_t out_step, const float *in, int64_t in_step, int64_t n, bool logarithm) {
  float lanes[FV_LANES * FV_LANES] = {0};
  Softmax across = {.length = s->length, .out_step = FV_LANES, .in_step = FV_LANES};
  for (int64_t i = 0; i < n; i += FV_LANES) {
    int64_t count = fv_min_i64(FV_LANES, n - i);
    for (int64_t r = 0; r < count; r++)
      for (int64_t k = 0; k < s->length; k++) lanes[k * FV_LANES + r] = in[(i + r) * in_step + k];
    softmax_lanes(&across, lanes, lanes, FV_LANES, logarithm);
    for (int64_t r = 0; r < count; r++)
      for (int64_t k = 0; k < s->length; k++) out[(i + r) * out_step + k] = lanes[k * FV_LANES + r];
  }
}

static void run_softmax(const FvKernelCall *call) {
  FvKernelQuery q = fv_call_query(call);
  bool logarithm = ((const FvSoftmaxParams *)call->node->params)->log;
  Softmax s;
  describe_softmax(&q, &s);
  FvWalk *w = &s.walk;
  int64_t out_step = fv_walk_step(w, 0), in_step = fv_walk_step(w, 1);
  bool along = s.in_step == 1 && s.out_step == 1;
  for (bool more = fv_walk_begin(w, call->part, call->parts); more; more = fv_walk_next(w)) {
    float *out = (float *)call->out[0]->data + w->offset[0];
    const float *in = (const float *)call->in[0]->data + w->offset[1];
    int64_t n = fv_walk_length(w);
    if (along && s.length < FV_LANES && n >= FV_LANES)
      softmax_short(&s, out, out_step, in, in_step, n, logarithm);
    else if (along)
      for (int64_t i = 0; i < n; i++) softmax_run(out + i * out_step, in + i * in_step, s.length, logarithm);
    else
      for (int64_t i = 0; i < n; i += FV_LANES) softmax_lanes(&s, out + i, in + i, n - i, logarithm);
  }
}

const FvKernel FV_ISA(fv_kernels_reduce)[] = {
  {FV_KERNEL_NAME("reduce_f32"), FV_OP_REDUCE, FV_ISA_FLAGS, FV_KERNEL_PARALLEL, suits_reduce, NULL, NULL, NULL, run_reduce},
  {FV_KERNEL_NAME("global_average_pool_f32"), FV_OP_GLOBAL_AVERAGE_POOL, FV_ISA_FLAGS, FV_KERNEL_PARALLEL, suits_reduce, NULL, NULL, NULL, run_reduce},
  {FV_KERNEL_NAME("global_max_pool_f32"), FV_OP_GLOBAL_MAX_POOL, FV_ISA_FLAGS, FV_KERNEL_PARALLEL, suits_reduce, NULL, NULL, NULL, run_reduce},
  {FV_KERNEL_NAME("softmax_f32"), FV_OP_SOFTMAX, FV_ISA_FLAGS, FV_KERNEL_PARALLEL, suits_softmax, NULL, NULL, NULL, run_softmax},
  {0},
};
