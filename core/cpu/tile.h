/* The register-blocked matrix product under convolution, Gemm and MatMul: C[rows][columns] = A * B + bias (+ residual), activated.
 *
 * A is never copied: each row is a list of `taps` pointers to kc floats (one per kernel position of a convolution, one for a plain
 * product). B is packed in panels of up to 3 vectors of columns: panel at vector v starts at v * FV_LANES * depth floats and holds
 * [depth][width * FV_LANES], depth = taps * kc. Panel widths follow fv_panel_width, for packing and running alike. */
#ifndef FOVEA_CPU_TILE_H
#define FOVEA_CPU_TILE_H

#include "cpu/simd.h"

/* Rows of A in work at once: a multiple of every tile height, small enough that they stay in the caches while all panels pass. */
enum { FV_CHUNK = 48 };

/* AVX2 has 16 registers: 6 x 2 tiles, a last odd panel of 3 with 4 rows. The others have 32: 8 x 3. */
#if defined(FV_ISA_AVX2)
FV_INLINE long fv_panel_width(long vectors_left) { return vectors_left == 3 ? 3 : vectors_left >= 2 ? 2 : 1; }
#else
FV_INLINE long fv_panel_width(long vectors_left) { return vectors_left == 4 ? 2 : vectors_left >= 3 ? 3 : vectors_left; }
#endif

typedef struct FvTileJob {
  long taps, kc;
  const float *const *rows; /* [taps][FV_CHUNK]; entries up to a multiple of 24 behind the last row must be readable rows */
  long a_offset;            /* added to every row pointer */
  const float *b, *bias;    /* of all columns, packed */
  float *c;
  long c_stride, columns;
  const float *residual; /* or NULL */
  long residual_stride;
  FvEpilogue epilogue;
} FvTileJob;

FV_INLINE void fv_tile(const int height, const int width, const FvTileJob *job, long row, long row_end, long vector) {
  FvVec acc[8][3];
  const float *bias = job->bias + vector * FV_LANES, *b = job->b + vector * FV_LANES * job->taps * job->kc;
#pragma GCC unroll 8
  for (int r = 0; r < height; r++)
#pragma GCC unroll 3
    for (int v = 0; v < width; v++) acc[r][v] = fv_load(bias + v * FV_LANES);
  const float *const *rows = job->rows + row;
  for (long tap = 0; tap < job->taps; tap++, rows += FV_CHUNK) {
    const float *a[8];
#pragma GCC unroll 8
    for (int r = 0; r < height; r++) a[r] = rows[r] + job->a_offset;
    for (long k = 0; k < job->kc; k++, b += width * FV_LANES) {
      FvVec bv[3];
#pragma GCC unroll 3
      for (int v = 0; v < width; v++) bv[v] = fv_load(b + v * FV_LANES);
#pragma GCC unroll 8
      for (int r = 0; r < height; r++) {
        FvVec x = fv_dup(a[r][k]);
#pragma GCC unroll 3
        for (int v = 0; v < width; v++) acc[r][v] = fv_fma(x, bv[v], acc[r][v]);
      }
    }
  }
  long column = vector * FV_LANES, columns = job->columns - column;
  float *c = job->c + row * job->c_stride + column;
  const float *residual = job->residual ? job->residual + row * job->residual_stride + column : NULL;
  if (columns >= width * FV_LANES && row + height <= row_end && !residual && !job->epilogue.curved) {
    FvVec low = fv_dup(job->epilogue.low), high = fv_dup(job->epilogue.high);
#pragma GCC unroll 8
    for (int r = 0; r < height; r++, c += job->c_stride)
#pragma GCC unroll 3
      for (int v = 0; v < width; v++) fv_store(c + v * FV_LANES, fv_min(fv_max(acc[r][v], low), high));
    return;
  }
  float spill[8 * 3 * FV_LANES] __attribute__((aligned(64)));
#pragma GCC unroll 8
  for (int r = 0; r < height; r++)
#pragma GCC unroll 3
    for (int v = 0; v < width; v++) fv_store(spill + (r * width + v) * FV_LANES, acc[r][v]);
  long height_left = row_end - row < height ? row_end - row : height;
  for (long r = 0; r < height_left; r++, c += job->c_stride) {
    const float *from = spill + r * width * FV_LANES;
    for (long v = 0, left = columns; v < width && left > 0; v++, left -= FV_LANES) {
      FvVec x = fv_load(from + v * FV_LANES);
      if (residual) x = fv_add(x, fv_load(residual + r * job->residual_stride + v * FV_LANES));
      x = fv_epilogue_apply(&job->epilogue, x);
      if (left >= FV_LANES)
        fv_store(c + v * FV_LANES, x);
      else
        fv_store_n(c + v * FV_LANES, x, left);
    }
  }
}

/* All rows against one panel. One or two rows left over get a low tile, more a whole one of which the surplus is dropped. */
#define FV_PANEL_ROWS(height, width)                                                          \
  for (long r = 0; r < rows; r += height) {                                                   \
    if (rows - r <= 2) {                                                                      \
      fv_tile(2, width, job, r, rows, vector);                                                \
      break;                                                                                  \
    }                                                                                         \
    fv_tile(height, width, job, r, rows, vector);                                             \
  }

static __attribute__((unused, noinline)) void fv_panel_of_3(const FvTileJob *job, long rows, long vector) {
#if defined(FV_ISA_AVX2)
  FV_PANEL_ROWS(4, 3)
#else
  FV_PANEL_ROWS(8, 3)
#endif
}
static __attribute__((unused, noinline)) void fv_panel_of_2(const FvTileJob *job, long rows, long vector) {
#if defined(FV_ISA_AVX2)
  FV_PANEL_ROWS(6, 2)
#else
  FV_PANEL_ROWS(8, 2)
#endif
}
static __attribute__((unused, noinline)) void fv_panel_of_1(const FvTileJob *job, long rows, long vector) { FV_PANEL_ROWS(8, 1) }

/* Rows [0, rows) against the panels that begin in vectors [begin, end). A panel passes over all rows before the next is touched. */
static __attribute__((unused)) void fv_tile_panels(const FvTileJob *job, long rows, long begin, long end) {
  long vectors = (job->columns + FV_LANES - 1) / FV_LANES;
  for (long v = begin, width; v < end; v += width) {
    width = fv_panel_width(vectors - v);
    if (width == 3)
      fv_panel_of_3(job, rows, v);
    else if (width == 2)
      fv_panel_of_2(job, rows, v);
    else
      fv_panel_of_1(job, rows, v);
  }
}

/* Number of panels over so many vectors, and the vector at which panel `index` begins. */
static inline __attribute__((unused)) long fv_panel_begin(long vectors, long index) {
  long v = 0;
  while (index-- > 0 && v < vectors) v += fv_panel_width(vectors - v);
  return v;
}
static inline __attribute__((unused)) long fv_panel_count(long vectors) {
  long count = 0;
  for (long v = 0; v < vectors; v += fv_panel_width(vectors - v)) count++;
  return count;
}

/* Writes one element of B; the packed memory is zero where nobody writes. */
static inline __attribute__((unused)) long fv_panel_index(long vectors, long depth, long k, long column) {
  long v = 0, width;
  while (v + (width = fv_panel_width(vectors - v)) <= column / FV_LANES) v += width;
  return v * FV_LANES * depth + k * width * FV_LANES + (column - v * FV_LANES);
}

#endif
