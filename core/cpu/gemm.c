/* Gemm and MatMul in f32. B is packed at load where it is constant, else by each part for the columns that it computes.
 *
 * packed: bias [vectors * LANES] | B panels, see tile.h. */
#include "cpu/families.h"
#include "cpu/layout.h"
#include "cpu/tile.h"

#include "base/threads.h"

/* y[batch][rows][columns] = alpha * a[batch][rows][depth] * b[batch or 1][depth][columns] + bias; strides in elements. */
typedef struct Product {
  int64_t batch, rows, depth, columns, vectors;
  int64_t a_row, a_step, b_row, b_step, y_row, y_step;
  int64_t bias_size, panel_size; /* floats */
  float alpha;
  const FvTensor *addend; /* the bias: constant, one per column or one for all; or NULL */
  float beta;
  const FvTensor *residual; /* an addend of the product's shape */
} Product;

static void finish(Product *p) {
  p->vectors = fv_ceil_div(p->columns, FV_LANES);
  p->bias_size = fv_ceil_div(p->vectors * FV_LANES, 16) * 16;
  p->panel_size = fv_ceil_div(p->vectors * FV_LANES * p->depth, 16) * 16;
}

/* c may be one number, a row, or, where it needs no scaling, a matrix. */
static bool place_addend(const FvTensor *c, Product *p) {
  if (!c) return true;
  int64_t last = c->rank ? c->dims[c->rank - 1] : 1, before = c->rank == 2 ? c->dims[0] : 1;
  if (!fv_is_f32(c)) return false;
  if (before == 1 && (last == 1 || last == p->columns) && c->data) {
    p->addend = c;
    return true;
  }
  p->residual = c;
  return c->rank == 2 && before == p->rows && last == p->columns && (c->strides[1] == 1 || last == 1) && p->alpha == 1 && p->beta == 1;
}

static bool describe_gemm(const FvKernelQuery *q, Product *p) {
  const FvTensor *a = q->in[0], *b = q->in[1], *y = q->out[0];
  const FvGemmParams *params = q->node->params;
  *p = (Product){.batch = 0};
  if (!fv_is_f32(a) || !fv_is_f32(b) || !fv_is_f32(y)) return false;
  int ar = params->trans_a ? 1 : 0, br = params->trans_b ? 1 : 0;
  *p = (Product){.batch = 1, .rows = y->dims[0], .columns = y->dims[1], .depth = a->dims[1 - ar], .alpha = params->alpha, .beta = params->beta,
                 .a_row = a->strides[ar], .a_step = a->strides[1 - ar], .b_row = b->strides[br], .b_step = b->strides[1 - br],
                 .y_row = y->strides[0], .y_step = y->strides[1]};
  finish(p);
  return (p->a_step == 1 || p->depth == 1) && (p->y_step == 1 || p->columns == 1) && place_addend(fv_query_input(q, 2), p);
}

/* The dimensions before the last two as one, or as a broadcast of one matrix; false when they lie otherwise. */
static bool batch_stride(const FvTensor *t, int64_t batch, int64_t *stride) {
  int64_t expected = 0, count = 1;
  *stride = 0;
  for (int d = t->rank - 3; d >= 0; d--) {
    if (t->dims[d] == 1) continue;
    if (count == 1) *stride = expected = t->strides[d];
    if (t->strides[d] != expected) return false;
    expected *= t->dims[d];
    count *= t->dims[d];
  }
  return count == 1 || count == batch;
}

typedef struct Batches {
  int64_t a, b, y; /* strides */
} Batches;

static bool describe_matmul(const FvKernelQuery *q, Product *p, Batches *s) {
  const FvTensor *a = q->in[0], *b = q->in[1], *y = q->out[0];
  *p = (Product){.batch = 0};
  if (!fv_is_f32(a) || !fv_is_f32(b) || !fv_is_f32(y) || a->rank < 2 || b->rank < 2) return false;
  int ar = a->rank, br = b->rank, yr = y->rank;
  *p = (Product){.batch = 1, .rows = y->dims[yr - 2], .columns = y->dims[yr - 1], .depth = a->dims[ar - 1], .alpha = 1,
                 .a_row = a->strides[ar - 2], .a_step = a->strides[ar - 1], .b_row = b->strides[br - 2], .b_step = b->strides[br - 1],
                 .y_row = y->strides[yr - 2], .y_step = y->strides[yr - 1]};
  for (int d = 0; d < yr - 2; d++) p->batch *= y->dims[d];
  finish(p);
  if ((p->a_step != 1 && p->depth != 1) || (p->y_step != 1 && p->columns != 1)) return false;
  return batch_stride(a, p->batch, &s->a) && batch_stride(b, p->batch, &s->b) && batch_stride(y, p->batch, &s->y);
}

static bool suits_gemm(const FvKernelQuery *q) {
  Product p;
  return q->in[1] && q->in[1]->data && describe_gemm(q, &p);
}

static bool suits_matmul(const FvKernelQuery *q) {
  Product p;
  Batches s;
  return q->in[1] && q->in[1]->data && describe_matmul(q, &p, &s) && s.b == 0;
}

static bool suits_matmul_computed(const FvKernelQuery *q) {
  Product p;
  Batches s;
  return describe_matmul(q, &p, &s);
}

static bool describe(const FvKernelQuery *q, Product *p, Batches *s) {
  *s = (Batches){0};
  return q->node->op->kind == FV_OP_GEMM ? describe_gemm(q, p) : describe_matmul(q, p, s);
}

static size_t packed_size(const FvKernelQuery *q) {
  Product p;
  Batches s;
  describe(q, &p, &s);
  return (size_t)(p.bias_size + p.panel_size) * sizeof(float);
}

/* The panels that begin in vectors [begin, end). panels is zeroed, or will be filled to its last lane here. */
static void pack_panels(const Product *p, const float *b, long begin, long end, float *panels) {
  for (long v = begin, width; v < end; v += width) {
    width = fv_panel_width(p->vectors - v);
    float *to = panels + v * FV_LANES * p->depth;
    int64_t lanes = width * FV_LANES, valid = fv_min_i64(lanes, p->columns - v * FV_LANES);
    for (int64_t k = 0; k < p->depth; k++, to += lanes) {
      const float *from = b + k * p->b_row + v * FV_LANES * p->b_step;
      for (int64_t j = 0; j < valid; j++) to[j] = p->alpha * from[j * p->b_step];
      for (int64_t j = valid; j < lanes; j++) to[j] = 0;
    }
  }
}

static void pack(const FvKernelQuery *q, void *packed) {
  Product p;
  Batches s;
  describe(q, &p, &s);
  float *bias = packed;
  if (p.addend) {
    int64_t step = p.addend->rank && p.addend->dims[p.addend->rank - 1] > 1 ? p.addend->strides[p.addend->rank - 1] : 0;
    for (int64_t j = 0; j < p.columns; j++) bias[j] = p.beta * ((const float *)p.addend->data)[j * step];
  }
  pack_panels(&p, q->in[1]->data, 0, p.vectors, bias + p.bias_size);
}

static size_t scratch_size(const FvKernelQuery *q) { return FV_CHUNK * sizeof(float *); }

static size_t scratch_size_computed(const FvKernelQuery *q) {
  Product p;
  Batches s;
  describe(q, &p, &s);
  return FV_CHUNK * sizeof(float *) + packed_size(q);
}

/* Rows [r.begin, r.end) against the panels of vectors [begin, end). */
static void multiply(const Product *p, FvTileJob *job, const float *a, float *y, const float *residual, FvRange r, long begin, long end) {
  const float **rows = (const float **)job->rows;
  for (int64_t i = r.begin; i < r.end; i += FV_CHUNK) {
    int64_t count = fv_min_i64(FV_CHUNK, r.end - i);
    for (int64_t k = 0; k < FV_CHUNK && k < count + 8; k++) rows[k] = a + (i + fv_min_i64(k, count - 1)) * p->a_row;
    job->c = y + i * p->y_row;
    job->residual = residual ? residual + i * job->residual_stride : NULL;
    fv_tile_panels(job, count, begin, end);
  }
}

static FvTileJob make_job(const FvKernelCall *call, const Product *p, const float *bias, const float *panels) {
  return (FvTileJob){.taps = 1, .kc = p->depth, .rows = call->scratch, .b = panels, .bias = bias, .c_stride = p->y_row, .columns = p->columns,
                     .residual_stride = p->residual ? p->residual->strides[0] : 0, .epilogue = fv_epilogue(call->node->activation)};
}

/* Parts share the rows when there are enough, else the panels. */
static void run(const FvKernelCall *call) {
  FvKernelQuery q = fv_call_query(call);
  Product p;
  Batches s;
  describe(&q, &p, &s);
  FvTileJob job = make_job(call, &p, call->packed, (const float *)call->packed + p.bias_size);
  bool by_rows = p.rows >= 24 * call->parts;
  long panels = fv_panel_count(p.vectors);
  FvRange r = by_rows ? fv_split(p.rows, 24, call->part, call->parts) : (FvRange){0, p.rows};
  FvRange v = by_rows ? (FvRange){0, panels} : fv_split(panels, 1, call->part, call->parts);
  const float *residual = p.residual ? call->in[2]->data : NULL;
  for (int64_t n = 0; n < p.batch; n++)
    multiply(&p, &job, (const float *)call->in[0]->data + n * s.a, (float *)call->out[0]->data + n * s.y, residual, r,
             fv_panel_begin(p.vectors, v.begin), fv_panel_begin(p.vectors, v.end));
}

static void run_computed(const FvKernelCall *call) {
  FvKernelQuery q = fv_call_query(call);
  Product p;
  Batches s;
  describe(&q, &p, &s);
  float *bias = (float *)((char *)call->scratch + FV_CHUNK * sizeof(float *)), *panels = bias + p.bias_size;
  FvTileJob job = make_job(call, &p, bias, panels);
  FvRange v = fv_split(fv_panel_count(p.vectors), 1, call->part, call->parts);
  long begin = fv_panel_begin(p.vectors, v.begin), end = fv_panel_begin(p.vectors, v.end);
  memset(bias, 0, (size_t)p.bias_size * sizeof *bias);
  for (int64_t n = 0; n < p.batch; n++) {
    if (n == 0 || s.b) pack_panels(&p, (const float *)call->in[1]->data + n * s.b, begin, end, panels);
    multiply(&p, &job, (const float *)call->in[0]->data + n * s.a, (float *)call->out[0]->data + n * s.y, NULL, (FvRange){0, p.rows}, begin, end);
  }
}

const FvKernel FV_ISA(fv_kernels_gemm)[] = {
  {FV_KERNEL_NAME("gemm_f32"), FV_OP_GEMM, FV_ISA_FLAGS, FV_KERNEL_PARALLEL, suits_gemm, packed_size, pack, scratch_size, run},
  {FV_KERNEL_NAME("matmul_f32"), FV_OP_MATMUL, FV_ISA_FLAGS, FV_KERNEL_PARALLEL, suits_matmul, packed_size, pack, scratch_size, run},
  {FV_KERNEL_NAME("matmul_f32_computed"), FV_OP_MATMUL, FV_ISA_FLAGS, FV_KERNEL_PARALLEL, suits_matmul_computed, NULL, NULL, scratch_size_computed,
   run_computed},
  {0},
};
