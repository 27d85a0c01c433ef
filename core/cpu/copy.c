/* Moving elements: copies between layouts, concatenation, padding, transposition, channel shuffles; elements of 1 and 4 bytes. */
#include "cpu/families.h"
#include "cpu/simd_int.h"
#include "cpu/walk.h"

static void *element(const FvTensor *t, int64_t offset) { return (char *)t->data + offset * (int64_t)fv_dtype_size(t->dtype); }

/* ---- Planes: one side is dense along rows, the other along columns ---- */

#if defined(__AVX2__)
/* 8 x 8 floats: rows of from become columns of to. */
static void transpose_block(uint32_t *to, int64_t to_stride, const uint32_t *from, int64_t from_stride) {
  __m256 r[8], t[8];
  for (int i = 0; i < 8; i++) r[i] = _mm256_loadu_ps((const float *)(from + i * from_stride));
  for (int i = 0; i < 4; i++) {
    t[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
  }
  for (int i = 0; i < 2; i++) {
    r[4 * i] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0x44);
    r[4 * i + 1] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0xee);
    r[4 * i + 2] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0x44);
    r[4 * i + 3] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0xee);
  }
  for (int i = 0; i < 4; i++) {
    _mm256_storeu_ps((float *)(to + i * to_stride), _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
    _mm256_storeu_ps((float *)(to + (i + 4) * to_stride), _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
  }
}
#else
static void transpose_block(uint32_t *to, int64_t to_stride, const uint32_t *from, int64_t from_stride) {
  for (int half = 0; half < 2; half++)
    for (int part = 0; part < 2; part++) {
      const uint32_t *p = from + 4 * half * from_stride + 4 * part;
      uint32_t *q = to + 4 * part * to_stride + 4 * half;
      uint32x4x2_t a = vtrnq_u32(vld1q_u32(p), vld1q_u32(p + from_stride));
      uint32x4x2_t b = vtrnq_u32(vld1q_u32(p + 2 * from_stride), vld1q_u32(p + 3 * from_stride));
      vst1q_u32(q, vcombine_u32(vget_low_u32(a.val[0]), vget_low_u32(b.val[0])));
      vst1q_u32(q + to_stride, vcombine_u32(vget_low_u32(a.val[1]), vget_low_u32(b.val[1])));
      vst1q_u32(q + 2 * to_stride, vcombine_u32(vget_high_u32(a.val[0]), vget_high_u32(b.val[0])));
      vst1q_u32(q + 3 * to_stride, vcombine_u32(vget_high_u32(a.val[1]), vget_high_u32(b.val[1])));
    }
}
#endif

/* to[i * to_stride + j] = from[j * from_stride + i], i < rows, j < columns. */
static void transpose_u32(uint32_t *to, int64_t to_stride, const uint32_t *from, int64_t from_stride, int64_t rows, int64_t columns) {
  int64_t i = 0;
  for (; i + 8 <= rows; i += 8) {
    int64_t j = 0;
    for (; j + 8 <= columns; j += 8) transpose_block(to + i * to_stride + j, to_stride, from + j * from_stride + i, from_stride);
    for (; j < columns; j++)
      for (int64_t k = 0; k < 8; k++) to[(i + k) * to_stride + j] = from[j * from_stride + i + k];
  }
  for (; i < rows; i++)
    for (int64_t j = 0; j < columns; j++) to[i * to_stride + j] = from[j * from_stride + i];
}

static void transpose_u8(uint8_t *to, int64_t to_stride, const uint8_t *from, int64_t from_stride, int64_t rows, int64_t columns) {
  enum { TILE = 32 };
  for (int64_t i0 = 0; i0 < rows; i0 += TILE)
    for (int64_t j0 = 0; j0 < columns; j0 += TILE)
      for (int64_t i = i0; i < fv_min_i64(i0 + TILE, rows); i++)
        for (int64_t j = j0; j < fv_min_i64(j0 + TILE, columns); j++) to[i * to_stride + j] = from[j * from_stride + i];
}

/* The dimension along which the source is dense goes next to the innermost, if it is not the innermost itself. */
static bool to_planes(FvWalk *w) {
  if (w->rank < 2 || fv_walk_step(w, 0) != 1 || fv_walk_step(w, 1) == 1) return false;
  for (int d = 0; d < w->rank - 1; d++)
    if (w->strides[1][d] == 1) {
      for (; d < w->rank - 2; d++) fv_walk_swap(w, d, d + 1);
      return true;
    }
  return false;
}

static void copy_planes(FvWalk *w, const FvTensor *to, const FvTensor *from, int part, int parts) {
  /* The walk goes over planes: its last two dimensions are done inside; parts share the rows when there are few planes. */
  int64_t rows = w->dims[w->rank - 2], columns = fv_walk_length(w), row_stride = w->strides[0][w->rank - 2], column_stride = fv_walk_step(w, 1), planes = 1;
  for (int d = 0; d < w->rank - 2; d++) planes *= w->dims[d];
  FvRange r = planes >= parts ? (FvRange){0, rows} : fv_split(rows, 8, part, parts);
  w->dims[w->rank - 2] = w->dims[w->rank - 1] = 1;
  for (bool more = fv_walk_begin(w, planes >= parts ? part : 0, planes >= parts ? parts : 1); more; more = fv_walk_next(w)) {
    void *out = element(to, w->offset[0] + r.begin * row_stride);
    const void *in = element(from, w->offset[1] + r.begin);
    if (fv_dtype_size(to->dtype) == 4)
      transpose_u32(out, row_stride, in, column_stride, r.end - r.begin, columns);
    else
      transpose_u8(out, row_stride, in, column_stride, r.end - r.begin, columns);
  }
}

/* ---- Runs ---- */

/* Every other word, as the halves of a channel shuffle lie. */
static void copy_even_words(uint32_t *to, const uint32_t *from, int64_t n) {
  int64_t i = 0;
#if defined(__AVX2__)
  for (; i + 8 <= n; i += 8) {
    __m256 a = _mm256_loadu_ps((const float *)(from + 2 * i)), b = _mm256_loadu_ps((const float *)(from + 2 * i + 8));
    __m256d even = _mm256_castps_pd(_mm256_shuffle_ps(a, b, 0x88));
    _mm256_storeu_pd((double *)(to + i), _mm256_permute4x64_pd(even, 0xd8));
  }
#elif defined(FV_ISA_NEON)
  for (; i + 4 <= n; i += 4) vst1q_u32(to + i, vld2q_u32(from + 2 * i).val[0]);
#endif
  for (; i < n; i++) to[i] = from[2 * i];
}

static void copy_even_bytes(uint8_t *to, const uint8_t *from, int64_t n) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) fv_copy_16_even(to + i, from + 2 * i, 0);
  for (; i < n; i++) to[i] = from[2 * i];
}

/* Runs as short as the channels of a pixel are not worth a call. */
static void copy_words(float *to, const float *from, int64_t n) {
  int64_t i = 0;
  for (; i + FV_LANES <= n; i += FV_LANES) fv_store(to + i, fv_load(from + i));
  if (i < n) fv_store_n(to + i, fv_load(from + i), n - i);
}

static void copy_run(void *to, int64_t to_step, const void *from, int64_t from_step, int64_t n, size_t size) {
  if (to_step == 1 && from_step == 1 && size == 4 && n <= 256) {
    copy_words(to, from, n);
  } else if (to_step == 1 && from_step == 2 && size == 4) {
    copy_even_words(to, from, n);
  } else if (to_step == 1 && from_step == 2 && size == 1) {
    copy_even_bytes(to, from, n);
  } else if (to_step == 1 && from_step == 1) {
    memcpy(to, from, (size_t)n * size);
  } else if (size == 4) {
    for (int64_t i = 0; i < n; i++) ((uint32_t *)to)[i * to_step] = ((const uint32_t *)from)[i * from_step];
  } else {
    for (int64_t i = 0; i < n; i++) ((uint8_t *)to)[i * to_step] = ((const uint8_t *)from)[i * from_step];
  }
}

static void copy_tensor(const FvTensor *to, const FvTensor *from, int part, int parts) {
  FvWalk w;
  fv_walk_init(&w, 2, (const FvTensor *const[]){to, from});
  for (int d = 0; d < w.rank; d++)
    if (w.dims[d] == 0) return;
  if (to_planes(&w)) {
    copy_planes(&w, to, from, part, parts);
    return;
  }
  size_t size = fv_dtype_size(to->dtype);
  int64_t to_step = fv_walk_step(&w, 0), from_step = fv_walk_step(&w, 1);
  for (bool more = fv_walk_begin(&w, part, parts); more; more = fv_walk_next(&w))
    copy_run(element(to, w.offset[0]), to_step, element(from, w.offset[1]), from_step, fv_walk_length(&w), size);
}

static bool size_suits(const FvTensor *t) { return t && (fv_dtype_size(t->dtype) == 4 || fv_dtype_size(t->dtype) == 1); }

/* ---- Operators ---- */

static bool suits_any(const FvKernelQuery *q) { return size_suits(q->out[0]); }
static bool suits_alike(const FvKernelQuery *q) { return size_suits(q->out[0]) && q->in[0]->dtype == q->out[0]->dtype; }

static void run_copy(const FvKernelCall *call) {
  if (call->out[0]->data != call->in[0]->data) copy_tensor(call->out[0], call->in[0], call->part, call->parts);
}

static void run_transpose(const FvKernelCall *call) {
  const FvTransposeParams *params = call->node->params;
  FvTensor from = *call->in[0];
  for (int d = 0; d < from.rank; d++) {
    from.dims[d] = call->in[0]->dims[params->perm[d]];
    from.strides[d] = call->in[0]->strides[params->perm[d]];
  }
  copy_tensor(call->out[0], &from, call->part, call->parts);
}

/* Slice and Split: the rule for views gives the source. */
static void run_views(const FvKernelCall *call) {
  for (int i = 0; i < call->node->output_count; i++) {
    FvTensor from = {.rank = 0};
    int64_t offset = 0;
    if (!call->out[i] || !call->node->op->view(call->node, i, call->in[0], &from, &offset)) continue;
    from.data = element(call->in[0], offset);
    if (from.data != call->out[i]->data) copy_tensor(call->out[i], &from, call->part, call->parts);
  }
}

static bool suits_views(const FvKernelQuery *q) { return q->node->op->view && size_suits(q->in[0]); }

/* Reshape: when one side can be seen with the other's shape. */
static bool reshape_source(const FvNode *node, const FvTensor *in, FvTensor *from) {
  int64_t offset = 0;
  *from = (FvTensor){.rank = 0};
  if (!node->op->view || !node->op->view(node, 0, in, from, &offset)) return false;
  from->data = in->data ? element(in, offset) : NULL;
  return true;
}

static bool suits_reshape(const FvKernelQuery *q) {
  FvTensor from;
  return size_suits(q->in[0]) && reshape_source(q->node, q->in[0], &from);
}

static void run_reshape(const FvKernelCall *call) {
  FvTensor from;
  if (reshape_source(call->node, call->in[0], &from) && from.data != call->out[0]->data) copy_tensor(call->out[0], &from, call->part, call->parts);
}

static void run_concat(const FvKernelCall *call) {
  int axis = ((const FvConcatParams *)call->node->params)->axis;
  FvTensor slot = *call->out[0];
  int64_t at = 0;
  for (int i = 0; i < call->node->input_count; i++) {
    const FvTensor *in = call->in[i];
    slot.dims[axis] = in->dims[axis];
    slot.data = element(call->out[0], at * slot.strides[axis]);
    if (slot.data != in->data) copy_tensor(&slot, in, call->part, call->parts); /* the same memory: its producer wrote in place */
    at += in->dims[axis];
  }
}

static bool suits_pad(const FvKernelQuery *q) {
  const FvPadParams *params = q->node->params;
  const FvTensor *value = fv_query_input(q, 2);
  if (params->mode != FV_PAD_CONSTANT || !fv_is_f32(q->out[0]) || (value && !value->data)) return false;
  for (int d = 0; d < q->out[0]->rank; d++)
    if (params->begin[d] < 0 || params->end[d] < 0) return false;
  return true;
}

/* The border is made of two slabs per dimension, each within what the dimensions before it left over. */
static void run_pad(const FvKernelCall *call) {
  const FvPadParams *params = call->node->params;
  FvTensor rest = *call->out[0];
  float value = (float)params->value;
  FvTensor fill = {.dtype = FV_DTYPE_F32, .rank = rest.rank, .data = &value};
  for (int d = 0; d < rest.rank; d++) {
    FvTensor slab = rest;
    slab.dims[d] = params->begin[d];
    memcpy(fill.dims, slab.dims, sizeof fill.dims);
    copy_tensor(&slab, &fill, call->part, call->parts);
    slab.data = element(&rest, (params->begin[d] + call->in[0]->dims[d]) * rest.strides[d]);
    slab.dims[d] = fill.dims[d] = params->end[d];
    copy_tensor(&slab, &fill, call->part, call->parts);
    rest.data = element(&rest, params->begin[d] * rest.strides[d]);
    rest.dims[d] = call->in[0]->dims[d];
  }
  copy_tensor(&rest, call->in[0], call->part, call->parts);
}

/* ---- Shuffles by two: out = a0 b0 a1 b1 … per pixel ---- */

static void interleave_u32(uint32_t *to, const uint32_t *a, const uint32_t *b, int64_t n) {
  int64_t i = 0;
#if defined(__AVX2__)
  for (; i + 8 <= n; i += 8) {
    __m256i x = _mm256_loadu_si256((const __m256i *)(a + i)), y = _mm256_loadu_si256((const __m256i *)(b + i));
    __m256i low = _mm256_unpacklo_epi32(x, y), high = _mm256_unpackhi_epi32(x, y);
    _mm256_storeu_si256((__m256i *)(to + 2 * i), _mm256_permute2x128_si256(low, high, 0x20));
    _mm256_storeu_si256((__m256i *)(to + 2 * i + 8), _mm256_permute2x128_si256(low, high, 0x31));
  }
#elif defined(FV_ISA_NEON)
  for (; i + 4 <= n; i += 4) {
    uint32x4x2_t pair = {{vld1q_u32(a + i), vld1q_u32(b + i)}};
    vst2q_u32(to + 2 * i, pair);
  }
#endif
  for (; i < n; i++) {
    to[2 * i] = a[i];
    to[2 * i + 1] = b[i];
  }
}

static void interleave_u8(uint8_t *to, const uint8_t *a, const uint8_t *b, int64_t n) {
  int64_t i = 0;
#if defined(__AVX2__)
  for (; i + 16 <= n; i += 16) {
    __m128i x = _mm_loadu_si128((const __m128i *)(a + i)), y = _mm_loadu_si128((const __m128i *)(b + i));
    _mm_storeu_si128((__m128i *)(to + 2 * i), _mm_unpacklo_epi8(x, y));
    _mm_storeu_si128((__m128i *)(to + 2 * i + 16), _mm_unpackhi_epi8(x, y));
  }
#elif defined(FV_ISA_NEON)
  for (; i + 16 <= n; i += 16) {
    uint8x16x2_t pair = {{vld1q_u8(a + i), vld1q_u8(b + i)}};
    vst2q_u8(to + 2 * i, pair);
  }
#endif
  for (; i < n; i++) {
    to[2 * i] = a[i];
    to[2 * i + 1] = b[i];
  }
}

static bool all_channels_last(const FvTensor *const *tensors, int count) {
  for (int i = 0; i < count; i++) {
    FvImage image;
    if (!size_suits(tensors[i]) || !fv_image_of(tensors[i], &image) || !fv_image_channels_last(&image)) return false;
  }
  return true;
}

static void interleave(const FvKernelCall *call, const FvTensor *ta, const FvTensor *tb) {
  FvImage out, a, b;
  fv_image_of(call->out[0], &out);
  fv_image_of(ta, &a);
  fv_image_of(tb, &b);
  FvRange r = fv_split(out.n * out.h, 1, call->part, call->parts);
  bool words = fv_dtype_size(ta->dtype) == 4;
  for (int64_t i = r.begin; i < r.end; i++) {
    int64_t n = i / out.h, y = i % out.h;
    for (int64_t x = 0; x < out.w; x++) {
      void *to = element(call->out[0], n * out.sn + y * out.sh + x * out.sw);
      const void *from_a = element(ta, n * a.sn + y * a.sh + x * a.sw), *from_b = element(tb, n * b.sn + y * b.sh + x * b.sw);
      if (words)
        interleave_u32(to, from_a, from_b, out.c / 2);
      else
        interleave_u8(to, from_a, from_b, out.c / 2);
    }
  }
}

static bool suits_shuffle2(const FvKernelQuery *q) {
  const FvChannelShuffleParams *params = q->node->params;
  return params->groups == 2 && all_channels_last((const FvTensor *const[]){q->out[0], q->in[0]}, 2);
}

static void run_shuffle2(const FvKernelCall *call) {
  FvTensor second = *call->in[0];
  second.data = element(&second, second.dims[1] / 2 * second.strides[1]);
  interleave(call, call->in[0], &second);
}

static void run_shuffle(const FvKernelCall *call) {
  int64_t groups = ((const FvChannelShuffleParams *)call->node->params)->groups;
  FvTensor from = *call->in[0], to = *call->out[0];
  from.dims[1] = to.dims[1] = call->in[0]->dims[1] / groups;
  to.strides[1] *= groups;
  for (int64_t g = 0; g < groups; g++) {
    from.data = element(call->in[0], g * from.dims[1] * from.strides[1]);
    to.data = element(call->out[0], g * call->out[0]->strides[1]);
    copy_tensor(&to, &from, call->part, call->parts);
  }
}

static bool suits_concat_shuffle(const FvKernelQuery *q) {
  return q->node->input_count == 2 && all_channels_last((const FvTensor *const[]){q->out[0], q->in[0], q->in[1]}, 3);
}

static void run_concat_shuffle(const FvKernelCall *call) { interleave(call, call->in[0], call->in[1]); }

#define ROW(name, op, suits, run) {FV_KERNEL_NAME(name), op, FV_ISA_FLAGS, FV_KERNEL_PARALLEL, suits, NULL, NULL, NULL, run}

const FvKernel FV_ISA(fv_kernels_copy)[] = {
  ROW("copy", FV_OP_COPY, suits_alike, run_copy),
  ROW("copy_transpose", FV_OP_TRANSPOSE, suits_any, run_transpose),
  ROW("copy_concat", FV_OP_CONCAT, suits_any, run_concat),
  ROW("copy_slice", FV_OP_SLICE, suits_views, run_views),
  ROW("copy_split", FV_OP_SPLIT, suits_views, run_views),
  ROW("copy_reshape", FV_OP_RESHAPE, suits_reshape, run_reshape),
  ROW("copy_pad_f32", FV_OP_PAD, suits_pad, run_pad),
  ROW("copy_shuffle2", FV_OP_CHANNEL_SHUFFLE, suits_shuffle2, run_shuffle2),
  ROW("copy_shuffle", FV_OP_CHANNEL_SHUFFLE, suits_any, run_shuffle),
  ROW("copy_concat_shuffle", FV_OP_CONCAT_SHUFFLE, suits_concat_shuffle, run_concat_shuffle),
  {0},
};
