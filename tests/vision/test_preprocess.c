/* Preprocessing against a reference in double precision, and every instruction set against the plain C one, bit for bit. */
#include <glib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "noise_picture.h"
#include "vision/preprocess.h"
#include "vision/sample.h"

/* --- the reference --- */

static int sample_at(const FvFrame *f, int component, int x, int y) {
#define AT(p, column, row) f->plane[p][(gssize)(row) * f->stride[p] + (column)]
  switch (f->format) {
    case FV_FORMAT_NV12: return component == 0 ? AT(0, x, y) : AT(1, 2 * x + component - 1, y);
    case FV_FORMAT_I420: return AT(component, x, y);
    case FV_FORMAT_YUY2: return component == 0 ? AT(0, 2 * x, y) : AT(0, 4 * x + (component == 1 ? 1 : 3), y);
    case FV_FORMAT_RGB: return AT(0, 3 * x + component, y);
    case FV_FORMAT_BGR: return AT(0, 3 * x + 2 - component, y);
    case FV_FORMAT_RGBA:
    case FV_FORMAT_RGBX: return AT(0, 4 * x + component, y);
    case FV_FORMAT_BGRA:
    case FV_FORMAT_BGRX: return AT(0, 4 * x + 2 - component, y);
    default: return AT(0, x, y);
  }
#undef AT
}

static gboolean is_yuv(const FvFrame *f) { return f->format == FV_FORMAT_NV12 || f->format == FV_FORMAT_I420 || f->format == FV_FORMAT_YUY2; }

static double bilinear(const FvFrame *f, int component, double x, double y, int columns, int rows) {
  x = CLAMP(x, 0, columns - 1), y = CLAMP(y, 0, rows - 1);
  int x0 = (int)x, y0 = (int)y, x1 = MIN(x0 + 1, columns - 1), y1 = MIN(y0 + 1, rows - 1);
  double top = sample_at(f, component, x0, y0) * (1 - (x - x0)) + sample_at(f, component, x1, y0) * (x - x0);
  double bottom = sample_at(f, component, x0, y1) * (1 - (x - x0)) + sample_at(f, component, x1, y1) * (x - x0);
  return top * (1 - (y - y0)) + bottom * (y - y0);
}

/* Red, green, blue, and luma as a fourth, at a point of the frame in pixel centres. */
static void colour_at(const FvFrame *f, double x, double y, double out[4]) {
  double v[3] = {0};
  gboolean yuv = is_yuv(f);
  int components = f->format == FV_FORMAT_GRAY8 ? 1 : 3;
  for (int c = 0; c < components; c++) {
    gboolean half = yuv && c > 0, down = half && f->format != FV_FORMAT_YUY2;
    double cx = half ? (x + 0.5) / 2 - 0.5 : x, cy = down ? (y + 0.5) / 2 - 0.5 : y;
    v[c] = bilinear(f, c, cx, cy, half ? (f->width + 1) / 2 : f->width, down ? (f->height + 1) / 2 : f->height);
  }
  gboolean limited = f->range == FV_RANGE_LIMITED || (f->range == FV_RANGE_DEFAULT && yuv);
  double offset = limited ? 16 : 0, gain = limited ? 255.0 / 219 : 1, chroma = limited ? 255.0 / 224 : 1;
  if (!yuv) {
    for (int c = 0; c < 3; c++) out[c] = CLAMP((v[components == 1 ? 0 : c] - offset) * gain, 0, 255);
    double gray = components == 1 ? v[0] : 0.299 * v[0] + 0.587 * v[1] + 0.114 * v[2];
    out[3] = CLAMP((gray - offset) * gain, 0, 255);
    return;
  }
  FvColorMatrix m = f->matrix ? f->matrix : f->height >= 720 ? FV_MATRIX_BT709 : FV_MATRIX_BT601;
  double kr = m == FV_MATRIX_BT601 ? 0.299 : m == FV_MATRIX_BT709 ? 0.2126 : 0.2627, kb = m == FV_MATRIX_BT601 ? 0.114 : m == FV_MATRIX_BT709 ? 0.0722 : 0.0593;
  double luma = (v[0] - offset) * gain, u = (v[1] - 128) * chroma, w = (v[2] - 128) * chroma;
  double r = luma + 2 * (1 - kr) * w, b = luma + 2 * (1 - kb) * u, g = (luma - kr * r - kb * b) / (1 - kr - kb);
  out[0] = CLAMP(r, 0, 255), out[1] = CLAMP(g, 0, 255), out[2] = CLAMP(b, 0, 255), out[3] = CLAMP(luma, 0, 255);
}

/* Pixel (x, y) of the input before normalisation, channel in R, G, B or luma. */
static double expected_pixel(const FvPreprocess *p, const FvFrame *f, int x, int y, int colour) {
  double sx = (double)p->width / f->width, sy = (double)p->height / f->height;
  double left = 0, top = 0, width = f->width, height = f->height;
  int tx = 0, ty = 0, tw = p->width, th = p->height;
  if (p->resize == FV_RESIZE_LETTERBOX || p->resize == FV_RESIZE_LETTERBOX_TOP_LEFT) {
    double s = MIN(sx, sy);
    tw = MAX(1, (int)rint(f->width * s)), th = MAX(1, (int)rint(f->height * s));
    if (p->resize == FV_RESIZE_LETTERBOX) tx = (p->width - tw) / 2, ty = (p->height - th) / 2;
  } else if (p->resize == FV_RESIZE_CENTER_CROP) {
    double s = MAX(sx, sy);
    width = rint(p->width / s), height = rint(p->height / s);
    left = floor((f->width - width) / 2), top = floor((f->height - height) / 2);
  }
  if (x < tx || y < ty || x >= tx + tw || y >= ty + th) return p->pad_value;
  double fx = left + (x - tx + 0.5) * width / tw - 0.5, fy = top + (y - ty + 0.5) * height / th - 0.5, out[4];
  colour_at(f, CLAMP(fx, left, left + width - 1), CLAMP(fy, top, top + height - 1), out);
  return out[colour];
}

/* --- running --- */

static void make_tensor(FvTensor *t, const FvPreprocess *p, FvDtype dtype, int spare) {
  int channels = p->channels == FV_CHANNELS_GRAY ? 1 : 3;
  *t = (FvTensor){.dtype = dtype, .rank = 4, .dims = {1, channels, p->height, p->width}};
  if (p->channels_last) t->dims[1] = p->height, t->dims[2] = p->width, t->dims[3] = channels;
  fv_tensor_set_contiguous(t);
  int64_t count = (int64_t)p->height * p->width * (channels + spare);
  if (spare) { /* a pixel stride, whichever way the dimensions are called */
    int64_t pixel = channels + spare, strides[2][4] = {{count, 1, p->width * pixel, pixel}, {count, p->width * pixel, pixel, 1}};
    memcpy(t->strides, strides[p->channels_last], sizeof strides[0]);
  }
  t->data = malloc((size_t)count * fv_dtype_size(dtype));
  memset(t->data, 0x5a, (size_t)count * fv_dtype_size(dtype));
}

static double tensor_at(const FvTensor *t, const FvPreprocess *p, int c, int y, int x) {
  int64_t at = p->channels_last ? y * t->strides[1] + x * t->strides[2] + c * t->strides[3] : c * t->strides[1] + y * t->strides[2] + x * t->strides[3];
  if (t->dtype == FV_DTYPE_F32) return ((float *)t->data)[at];
  return t->dtype == FV_DTYPE_U8 ? ((guint8 *)t->data)[at] : ((gint8 *)t->data)[at] + 128;
}

static void check(const FvPreprocess *p, const FvFrame *f, FvDtype dtype, int spare, int threads) {
  FvPreprocessor *pre;
  FvError err;
  FvTensor t;
  FvFrameMap map;
  make_tensor(&t, p, dtype, spare);
  g_assert_cmpint(fv_preprocessor_create(p, &pre, &err), ==, FV_OK);
  g_assert_cmpint(fv_preprocessor_run(pre, f, &t, threads, &map, &err), ==, FV_OK);
  int channels = p->channels == FV_CHANNELS_GRAY ? 1 : 3;
  for (int c = 0; c < channels; c++) {
    int colour = channels == 1 ? 3 : p->channels == FV_CHANNELS_BGR ? 2 - c : c;
    for (int y = 0; y < p->height; y++)
      for (int x = 0; x < p->width; x++) {
        double pixel = expected_pixel(p, f, x, y, colour), got = tensor_at(&t, p, c, y, x);
        double want = dtype == FV_DTYPE_F32 ? (pixel - p->mean[c]) * p->scale[c] : pixel, limit = dtype == FV_DTYPE_F32 ? 2e-3 * p->scale[c] : 0.501;
        if (fabs(got - want) > limit)
          g_error("%s %dx%d, channel %d at %d,%d: %g instead of %g", fv_format_name(f->format), f->width, f->height, c, x, y, got, want);
      }
  }
  for (int64_t i = 0; spare && i < (int64_t)p->width * p->height; i++) { /* what lies between pixels belongs to others */
    const guint8 *gap = (guint8 *)t.data + (size_t)(i * (channels + spare) + channels) * fv_dtype_size(dtype);
    for (size_t b = 0; b < (size_t)spare * fv_dtype_size(dtype); b++) g_assert_cmpint(gap[b], ==, 0x5a);
  }
  fv_preprocessor_destroy(&pre);
  fv_tensor_release(&t);
}

static const FvPreprocess plain = {.width = 24, .height = 20, .scale = {1, 1, 1}};

static void test_formats(void) {
  static const int sizes[][2] = {{48, 40}, {37, 29}, {1, 1}, {2, 3}, {1, 17}, {19, 1}, {7, 5}, {64, 720}};
  for (int format = 1; format < FV_FORMAT_COUNT; format++)
    for (gsize s = 0; s < G_N_ELEMENTS(sizes); s++)
      for (int resize = FV_RESIZE_STRETCH; resize <= FV_RESIZE_CENTER_CROP; resize++) {
        Picture picture;
        FvPreprocess p = plain;
        p.resize = (FvResize)resize;
        p.pad_value = 114;
        picture_init(&picture, (FvPixelFormat)format, sizes[s][0], sizes[s][1], (int)(s % 3) * 5, s % 2);
        check(&p, &picture.frame, FV_DTYPE_F32, 0, 1);
        picture_finish(&picture);
      }
}

static void test_colour(void) {
  for (int matrix = FV_MATRIX_DEFAULT; matrix <= FV_MATRIX_BT2020; matrix++)
    for (int range = FV_RANGE_DEFAULT; range <= FV_RANGE_FULL; range++)
      for (int format = 1; format < FV_FORMAT_COUNT; format++) {
        Picture picture;
        picture_init(&picture, (FvPixelFormat)format, 30, 23, 0, FALSE);
        picture.frame.matrix = (FvColorMatrix)matrix;
        picture.frame.range = (FvColorRange)range;
        check(&plain, &picture.frame, FV_DTYPE_F32, 0, 1);
        picture_finish(&picture);
      }
}

static void test_outputs(void) {
  static const FvDtype types[] = {FV_DTYPE_F32, FV_DTYPE_U8, FV_DTYPE_I8};
  static const FvPixelFormat formats[] = {FV_FORMAT_NV12, FV_FORMAT_RGB, FV_FORMAT_BGRX, FV_FORMAT_GRAY8};
  for (gsize i = 0; i < G_N_ELEMENTS(formats) * 3 * 3 * 2 * 3; i++) {
    FvPreprocess p = {.width = 21, .height = 13, .resize = FV_RESIZE_LETTERBOX, .pad_value = 7, .mean = {103.53f, 116.28f, 123.675f},
                      .scale = {1 / 57.375f, 1 / 57.12f, 1 / 58.395f}};
    gsize k = i;
    Picture picture;
    picture_init(&picture, formats[k % 4], 40, 30, 3, FALSE);
    k /= 4;
    FvDtype type = types[k % 3];
    k /= 3;
    p.channels = (FvChannelOrder)(k % 3);
    k /= 3;
    p.channels_last = k % 2;
    k /= 2;
    check(&p, &picture.frame, type, (int)(k == 2 ? 5 : k), 1);
    picture_finish(&picture);
  }
}

/* SMPTE bars at 100 %: red, green, blue, white, black in BT.601 and BT.709 limited range, from the standards' tables. */
static void test_bars(void) {
  static const struct {
    FvColorMatrix matrix;
    guint8 yuv[3], rgb[3];
  } bars[] = {
    {FV_MATRIX_BT601, {81, 90, 240}, {255, 0, 0}},   {FV_MATRIX_BT601, {145, 54, 34}, {0, 255, 0}},  {FV_MATRIX_BT601, {41, 240, 110}, {0, 0, 255}},
    {FV_MATRIX_BT709, {63, 102, 240}, {255, 0, 0}},  {FV_MATRIX_BT709, {173, 42, 26}, {0, 255, 0}},  {FV_MATRIX_BT709, {32, 240, 118}, {0, 0, 255}},
    {FV_MATRIX_BT601, {235, 128, 128}, {255, 255, 255}}, {FV_MATRIX_BT709, {16, 128, 128}, {0, 0, 0}},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(bars); i++) {
    guint8 y[16], uv[8], out[3 * 4];
    memset(y, bars[i].yuv[0], sizeof y);
    for (int k = 0; k < 8; k++) uv[k] = bars[i].yuv[1 + k % 2];
    FvFrame frame = {FV_FORMAT_NV12, 4, 4, {y, uv}, {4, 4}, bars[i].matrix, FV_RANGE_DEFAULT};
    FvPreprocess p = {.width = 2, .height = 2, .scale = {1, 1, 1}, .channels_last = true};
    FvTensor t = {.dtype = FV_DTYPE_U8, .rank = 4, .dims = {1, 2, 2, 3}, .data = out};
    FvPreprocessor *pre;
    fv_tensor_set_contiguous(&t);
    g_assert_cmpint(fv_preprocessor_create(&p, &pre, NULL), ==, FV_OK);
    g_assert_cmpint(fv_preprocessor_run(pre, &frame, &t, 1, NULL, NULL), ==, FV_OK);
    for (int c = 0; c < 3; c++) g_assert_cmpint(abs(out[9 + c] - bars[i].rgb[c]), <=, 2); /* the tables are rounded */
    fv_preprocessor_destroy(&pre);
  }
}

static void test_threads(void) {
  for (int threads = 2; threads < 70; threads += 11) {
    Picture picture;
    FvPreprocess p = plain;
    p.resize = FV_RESIZE_LETTERBOX;
    picture_init(&picture, FV_FORMAT_NV12, 61, 33, 0, FALSE);
    check(&p, &picture.frame, FV_DTYPE_F32, 0, threads);
    picture_finish(&picture);
  }
}

/* A preprocessor follows frames that change, and gives the same again when they change back. */
static void test_changing_geometry(void) {
  FvPreprocess p = plain;
  FvPreprocessor *pre;
  FvTensor t, first;
  p.resize = FV_RESIZE_LETTERBOX;
  make_tensor(&t, &p, FV_DTYPE_F32, 0);
  make_tensor(&first, &p, FV_DTYPE_F32, 0);
  g_assert_cmpint(fv_preprocessor_create(&p, &pre, NULL), ==, FV_OK);
  Picture a, b;
  picture_init(&a, FV_FORMAT_NV12, 64, 48, 0, FALSE);
  picture_init(&b, FV_FORMAT_RGB, 33, 70, 1, TRUE);
  g_assert_cmpint(fv_preprocessor_run(pre, &a.frame, &first, 1, NULL, NULL), ==, FV_OK);
  g_assert_cmpint(fv_preprocessor_run(pre, &b.frame, &t, 3, NULL, NULL), ==, FV_OK);
  g_assert_cmpint(fv_preprocessor_run(pre, &a.frame, &t, 2, NULL, NULL), ==, FV_OK);
  g_assert_cmpmem(t.data, sizeof(float) * 3 * 24 * 20, first.data, sizeof(float) * 3 * 24 * 20);
  picture_finish(&a);
  picture_finish(&b);
  fv_tensor_release(&t);
  fv_tensor_release(&first);
  fv_preprocessor_destroy(&pre);
}

static void test_map(void) {
  static const struct {
    FvResize resize;
    int width, height;
    FvFrameMap map;
  } rows[] = {
    {FV_RESIZE_STRETCH, 640, 480, {0.5f, 2.0f / 3, 0, 0}},
    {FV_RESIZE_LETTERBOX, 640, 480, {0.5f, 0.5f, 0, 40}},
    {FV_RESIZE_LETTERBOX_TOP_LEFT, 640, 480, {0.5f, 0.5f, 0, 0}},
    {FV_RESIZE_CENTER_CROP, 640, 480, {320.0f / 480, 320.0f / 480, -80 * 320.0f / 480, 0}},
    {FV_RESIZE_LETTERBOX, 240, 480, {160.0f / 240, 320.0f / 480, 80, 0}},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    FvPreprocess p = {.width = 320, .height = 320, .resize = rows[i].resize, .scale = {1, 1, 1}};
    Picture picture;
    FvPreprocessor *pre;
    FvTensor t;
    FvFrameMap map;
    picture_init(&picture, FV_FORMAT_GRAY8, rows[i].width, rows[i].height, 0, FALSE);
    make_tensor(&t, &p, FV_DTYPE_U8, 0);
    g_assert_cmpint(fv_preprocessor_create(&p, &pre, NULL), ==, FV_OK);
    g_assert_cmpint(fv_preprocessor_run(pre, &picture.frame, &t, 1, &map, NULL), ==, FV_OK);
    g_assert_cmpfloat_with_epsilon(map.scale_x, rows[i].map.scale_x, 1e-6f);
    g_assert_cmpfloat_with_epsilon(map.scale_y, rows[i].map.scale_y, 1e-6f);
    g_assert_cmpfloat_with_epsilon(map.offset_x, rows[i].map.offset_x, 1e-4f);
    g_assert_cmpfloat_with_epsilon(map.offset_y, rows[i].map.offset_y, 1e-4f);
    picture_finish(&picture);
    fv_tensor_release(&t);
    fv_preprocessor_destroy(&pre);
  }
}

static void test_bad_frames(void) {
  static guint8 bytes[64];
  FvFrame good = {FV_FORMAT_NV12, 4, 4, {bytes, bytes}, {4, 4}, FV_MATRIX_DEFAULT, FV_RANGE_DEFAULT};
  FvError err;
  g_assert_cmpint(fv_frame_check(&good, &err), ==, FV_OK);
  FvFrame bad = good;
  bad.format = (FvPixelFormat)77;
  g_assert_cmpint(fv_frame_check(&bad, &err), ==, FV_ERR_INVALID);
  bad = good, bad.width = 0;
  g_assert_cmpint(fv_frame_check(&bad, &err), ==, FV_ERR_INVALID);
  bad = good, bad.height = FV_MAX_FRAME_SIDE + 1;
  g_assert_cmpint(fv_frame_check(&bad, &err), ==, FV_ERR_LIMIT);
  bad = good, bad.stride[1] = 3;
  g_assert_cmpint(fv_frame_check(&bad, &err), ==, FV_ERR_INVALID);
  bad = good, bad.plane[1] = NULL;
  g_assert_cmpint(fv_frame_check(&bad, &err), ==, FV_ERR_INVALID);
  bad = good, bad.matrix = (FvColorMatrix)-1;
  g_assert_cmpint(fv_frame_check(&bad, &err), ==, FV_ERR_INVALID);

  FvDmaPlanes planes = {.fd = {0, -1}};
  bad = good, bad.dma = &planes;
  g_assert_cmpint(fv_frame_check(&bad, &err), ==, FV_ERR_INVALID);

  FvPreprocess p = plain;
  FvPreprocessor *pre;
  FvTensor t;
  make_tensor(&t, &p, FV_DTYPE_F32, 0);
  g_assert_cmpint(fv_preprocessor_create(&p, &pre, &err), ==, FV_OK);
  g_assert_cmpint(fv_preprocessor_run(pre, &bad, &t, 1, NULL, &err), ==, FV_ERR_UNSUPPORTED); /* the host has to map it */
  fv_preprocessor_destroy(&pre);
  t.dims[3]--;
  g_assert_cmpint(fv_preprocessor_create(&p, &pre, &err), ==, FV_OK);
  g_assert_cmpint(fv_preprocessor_run(pre, &good, &t, 1, NULL, &err), ==, FV_ERR_CONFIG);
  fv_preprocessor_destroy(&pre);
  fv_tensor_release(&t);
  p.width = 0;
  g_assert_cmpint(fv_preprocessor_create(&p, &pre, &err), ==, FV_ERR_CONFIG);
}

static void test_names(void) {
  for (int f = 1; f < FV_FORMAT_COUNT; f++) g_assert_cmpint(fv_format_from_name(fv_format_name((FvPixelFormat)f)), ==, f);
  g_assert_cmpint(fv_format_from_name("YV12"), ==, FV_FORMAT_NONE);
  g_assert_cmpint(fv_format_row_bytes(FV_FORMAT_NV12, 1, 5), ==, 6);
  g_assert_cmpint(fv_format_row_bytes(FV_FORMAT_YUY2, 0, 5), ==, 12);
  g_assert_cmpint(fv_format_rows(FV_FORMAT_I420, 2, 5), ==, 3);
  g_assert_cmpint(fv_format_row_bytes(FV_FORMAT_RGB, 1, 5), ==, 0);
}

/* --- instruction sets --- */

enum { COLUMNS = 77 };

static void check_kernels(const FvSampleKernels *k, FvRowSampler *s, const guint8 *row, FvRowMix *mix) {
  float top[3][COLUMNS], bottom[3][COLUMNS], want[3][COLUMNS], got[3][COLUMNS];
  fv_sample_kernels_reference.sample(s, row, (float *const[3]){want[0], want[1], want[2]});
  k->sample(s, row, (float *const[3]){got[0], got[1], got[2]});
  for (int c = 0; c < s->components; c++) g_assert_cmpmem(got[c], sizeof got[c], want[c], sizeof want[c]);
  for (int c = 0; c < 3; c++) {
    for (int x = 0; x < COLUMNS; x++) top[c][x] = noise() + noise() / 256.0f, bottom[c][x] = noise();
    mix->top[c] = top[c], mix->bottom[c] = bottom[c], mix->weight[c] = noise() / 256.0f;
    mix->out[c] = want[c];
  }
  if (!mix->yuv && mix->gain > 1.1f) mix->top[1] = NULL, mix->channels = 3;
  fv_sample_kernels_reference.mix(mix);
  for (int c = 0; c < 3; c++) mix->out[c] = got[c];
  k->mix(mix);
  for (int c = 0; c < mix->channels; c++) g_assert_cmpmem(got[c], sizeof got[c], want[c], sizeof want[c]);
}

static void test_instruction_sets(void) {
  static const struct {
    int step, components, byte[3];
  } kinds[] = {{1, 1, {0}}, {2, 2, {0, 1}}, {2, 1, {0}}, {4, 2, {1, 3}}, {3, 3, {0, 1, 2}}, {3, 3, {2, 1, 0}}, {4, 3, {2, 1, 0}}, {0, 3, {0, 1, 2}}};
  int tried = 0;
  const FvSampleKernels *k;
  for (int i = 0; (k = fv_sample_kernels_at(i)); i++) {
    if ((k->cpu & fv_cpu_flags()) != k->cpu) continue;
    for (gsize n = 0; n < G_N_ELEMENTS(kinds) * 8; n++) {
      gint32 offset[COLUMNS];
      float weight[COLUMNS];
      int step = kinds[n / 8].step, bytes = 4 * COLUMNS + 4;
      guint8 *row = g_malloc((gsize)bytes);
      for (int x = 0; x < bytes; x++) row[x] = noise();
      FvRowSampler s = {.count = COLUMNS, .step = step, .components = kinds[n / 8].components, .offset = offset, .weight = weight};
      memcpy(s.byte, kinds[n / 8].byte, sizeof s.byte);
      for (int x = 0; x < COLUMNS; x++) {
        offset[x] = step * x;
        weight[x] = noise() / 255.0f;
        if (offset[x] + step + 4 <= step * COLUMNS + 4) s.safe = x + 1;
      }
      if (n % 8 > 4) s.safe = (int)(n % 8);
      FvRowMix mix = {.count = COLUMNS, .yuv = n % 2, .gain = n % 4 < 2 ? 1 : 255.0f / 219, .offset = n % 4 < 2 ? 0 : 16, .red_v = 1.596f, .green_u = -0.391f,
                      .green_v = -0.813f, .blue_u = 2.018f, .channels = n % 8 < 6 ? 3 : 1, .order = {2, 1, 0}, .mean = {103, 116, 123}, .scale = {0.017f, 1, 0.5f}};
      check_kernels(k, &s, row, &mix);
      g_free(row);
    }
    tried++;
  }
  g_test_message("%d instruction sets", tried);
  g_assert_cmpint(tried, >=, 1);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/preprocess/every format, size and way to resize", test_formats);
  g_test_add_func("/preprocess/every colour matrix and range", test_colour);
  g_test_add_func("/preprocess/every output type, channel order and layout", test_outputs);
  g_test_add_func("/preprocess/colour bars", test_bars);
  g_test_add_func("/preprocess/threads give the same", test_threads);
  g_test_add_func("/preprocess/frames may change", test_changing_geometry);
  g_test_add_func("/preprocess/map to the frame", test_map);
  g_test_add_func("/preprocess/bad frames and inputs are refused", test_bad_frames);
  g_test_add_func("/preprocess/format names and sizes", test_names);
  g_test_add_func("/preprocess/instruction sets agree bit for bit", test_instruction_sets);
  return g_test_run();
}
