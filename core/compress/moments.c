#include "compress/moments.h"

#include <string.h>

#include "ops/params.h"
#include "ops/window.h"

enum {
  PATCH_BLOCK = 8,       /* patches that a row of the matrix takes at once */
  MAX_PER_PICTURE = 256, /* neighbouring patches say much the same */
  MIN_PER_PICTURE = 8,
  MAX_SIZE = 8192,       /* of a matrix: 256 MiB */
};
#define WORK_PER_PICTURE 12e6 /* multiply-adds that one layer may cost: some milliseconds */

static bool is_constant_f32(const FvValue *value) { return value && value->constant && value->constant->dtype == FV_DTYPE_F32; }

bool fv_moments_of_node(const FvNode *node, FvMoments *moments) {
  const FvValue *input = fv_node_input(node, 0), *weights = fv_node_input(node, 1);
  int64_t groups = 1, size = 1;
  if (!input || input->constant || input->dtype != FV_DTYPE_F32 || !is_constant_f32(weights)) return false;
  switch (node->op->kind) {
    case FV_OP_CONV:
      groups = ((const FvConvParams *)node->params)->group;
      for (int d = 1; d < weights->rank; d++) size *= weights->dims[d];
      break;
    case FV_OP_GEMM: {
      const FvGemmParams *params = node->params;
      if (params->trans_a) return false;
      size = weights->dims[params->trans_b ? 1 : 0];
      break;
    }
    case FV_OP_MATMUL:
      if (weights->rank != 2 || input->rank < 2) return false;
      size = weights->dims[0];
      break;
    default: return false;
  }
  if (size < 1 || size > MAX_SIZE || groups > INT64_C(1) << 20) return false;
  *moments = (FvMoments){.groups = (int)groups, .size = (int)size};
  return true;
}

int64_t fv_moments_bytes(const FvMoments *moments) {
  int64_t size = moments->size; /* both bounded above: no overflow */
  return moments->groups * (size * size + size) * (int64_t)sizeof(float) + size * PATCH_BLOCK * (int64_t)sizeof(float);
}

int fv_moments_init(FvMomentSums *sums, const FvNode *node, FvArena *arena, FvError *err) {
  *sums = (FvMomentSums){.node = node};
  fv_moments_of_node(node, &sums->moments);
  size_t groups = (size_t)sums->moments.groups, size = (size_t)sums->moments.size;
  sums->matrix = fv_arena_array(arena, groups * size, size * sizeof *sums->matrix);
  sums->mean = fv_arena_array(arena, groups * size, sizeof *sums->mean);
  sums->patches = fv_arena_array(arena, size * PATCH_BLOCK, sizeof *sums->patches);
  if (!sums->matrix || !sums->mean || !sums->patches) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory for the second moments of '%.128s'", fv_node_label(node));
  sums->moments.matrix = sums->matrix;
  sums->moments.mean = sums->mean;
  double patches = WORK_PER_PICTURE / ((double)groups * (double)size * (double)size / 2);
  sums->per_picture = patches < MIN_PER_PICTURE ? MIN_PER_PICTURE : patches > MAX_PER_PICTURE ? MAX_PER_PICTURE : (int)patches;
  return 0;
}

/* --- one patch --- */

static void gather_conv(const FvConvParams *params, const FvTensor *x, int64_t channel, int64_t channels, const int64_t *position, int64_t n, float *to) {
  const FvWindow *window = &params->window;
  int64_t tap[FV_MAX_SPATIAL] = {0}, taps = 1;
  const float *data = (const float *)x->data + n * x->strides[0] + channel * x->strides[1];
  for (int d = 0; d < window->spatial_rank; d++) taps *= window->kernel[d];
  for (int64_t t = 0; t < taps; t++) {
    int64_t offset;
    bool inside = fv_window_source(window, x, position, tap, &offset);
    for (int64_t c = 0; c < channels; c++) to[c * taps + t] = inside ? data[offset + c * x->strides[1]] : 0;
    for (int d = window->spatial_rank - 1; d >= 0 && ++tap[d] == window->kernel[d]; d--) tap[d] = 0;
  }
}

/* Row number `row` of input 0 of a matrix product, counted over all dimensions but the last. */
static void gather_row(const FvTensor *x, int64_t row, int64_t size, float *to) {
  const float *data = x->data;
  for (int d = x->rank - 2; d >= 0; d--) {
    data += row % x->dims[d] * x->strides[d];
    row /= x->dims[d];
  }
  for (int64_t k = 0; k < size; k++) to[k] = data[k * x->strides[x->rank - 1]];
}

static int64_t position_count(const FvMomentSums *sums, const FvTensor *input, const FvTensor *output) {
  int64_t count = 1;
  if (sums->node->op->kind == FV_OP_CONV) {
    for (int d = 0; d < output->rank; d++) count *= d == 1 ? 1 : output->dims[d];
  } else {
    for (int d = 0; d < input->rank - 1; d++) count *= input->dims[d];
  }
  return count;
}

static void gather(const FvMomentSums *sums, const FvTensor *input, const FvTensor *output, int group, int64_t at, float *to) {
  if (sums->node->op->kind != FV_OP_CONV) {
    gather_row(input, at, sums->moments.size, to);
    return;
  }
  const FvConvParams *params = sums->node->params;
  int64_t position[FV_MAX_SPATIAL], channels = input->dims[1] / params->group;
  for (int d = params->window.spatial_rank - 1; d >= 0; d--) {
    position[d] = at % output->dims[d + 2];
    at /= output->dims[d + 2];
  }
  gather_conv(params, input, group * channels, channels, position, at, to);
}

/* --- sums --- */

/* matrix += sum of p pT over the block, upper triangle; the loop over columns is the one that vectorises. */
static void add_block(float *restrict matrix, const float *restrict patches, int size) {
  const float *p[PATCH_BLOCK];
  for (int b = 0; b < PATCH_BLOCK; b++) p[b] = patches + (int64_t)b * size;
  for (int i = 0; i < size; i++) {
    float *row = matrix + (int64_t)i * size;
    float w0 = p[0][i], w1 = p[1][i], w2 = p[2][i], w3 = p[3][i], w4 = p[4][i], w5 = p[5][i], w6 = p[6][i], w7 = p[7][i];
    for (int j = i; j < size; j++)
      row[j] += w0 * p[0][j] + w1 * p[1][j] + w2 * p[2][j] + w3 * p[3][j] + (w4 * p[4][j] + w5 * p[5][j] + w6 * p[6][j] + w7 * p[7][j]);
  }
}

/* splitmix64 (Steele et al. 2014) of two numbers: where in its share of the positions a patch lies. */
static uint64_t mix(uint64_t picture, uint64_t patch) {
  uint64_t z = (picture << 32 | patch) + 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

void fv_moments_add(FvMomentSums *sums, const FvTensor *input, const FvTensor *output, int picture) {
  int64_t positions = position_count(sums, input, output), size = sums->moments.size;
  int64_t count = positions < sums->per_picture ? positions : sums->per_picture;
  for (int group = 0; group < sums->moments.groups; group++) {
    float *matrix = sums->matrix + group * size * size, *mean = sums->mean + group * size;
    int filled = 0;
    for (int64_t i = 0; i < count; i++) {
      int64_t first = positions * i / count, share = positions * (i + 1) / count - first;
      float *patch = sums->patches + filled * size;
      gather(sums, input, output, group, first + (int64_t)(mix((uint64_t)picture, (uint64_t)i) % (uint64_t)share), patch);
      for (int64_t k = 0; k < size; k++) mean[k] += patch[k];
      filled++;
      if (i == count - 1) memset(sums->patches + filled * size, 0, (size_t)((PATCH_BLOCK - filled) * size) * sizeof(float));
      if (filled < PATCH_BLOCK && i < count - 1) continue;
      add_block(matrix, sums->patches, (int)size);
      filled = 0;
    }
  }
  sums->moments.patches += count;
}

void fv_moments_finish(FvMomentSums *sums) {
  int64_t size = sums->moments.size;
  float share = sums->moments.patches ? 1.0f / (float)sums->moments.patches : 0;
  for (int64_t i = 0; i < sums->moments.groups * size; i++) sums->mean[i] *= share;
  for (int group = 0; group < sums->moments.groups; group++) {
    float *matrix = sums->matrix + group * size * size;
    for (int64_t i = 0; i < size; i++)
      for (int64_t j = i; j < size; j++) matrix[j * size + i] = matrix[i * size + j] *= share;
  }
}
