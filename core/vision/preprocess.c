#include "vision/preprocess.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/threads.h"
#include "vision/sample.h"

enum { MAX_SAMPLERS = FV_MAX_SAMPLERS };

/* One part's working rows. A source row r is kept in slot r & 1 until another takes its place: neighbouring output rows share source rows. */
typedef struct FvPartRows {
  float *sampled[3][2];
  int held[MAX_SAMPLERS][2]; /* source row in each slot, -1 for none */
  float *mixed[3];           /* output channels, where the tensor's columns are not adjacent floats */
} FvPartRows;

struct FvPreprocessor {
  FvPreprocess wanted;
  const FvSampleKernels *kernels;
  /* Of the last geometry. */
  FvPixelFormat format;
  int frame_width, frame_height, parts;
  unsigned generation; /* counts geometries */
  FvRect source, target;
  FvPlaneSampler samplers[MAX_SAMPLERS];
  int sampler_count;
  void *memory;
  FvPartRows *part_rows;
};

/* What one run needs beside the preprocessor; read-only for the parts. */
typedef struct FvRun {
  FvPreprocessor *p;
  const FvFrame *frame;
  const FvTensor *input;
  FvRowMix mix; /* all that does not change from row to row */
  float pad[3];
  int64_t channel_stride, row_stride, column_stride; /* elements */
  int channels, parts;
} FvRun;

int fv_preprocessor_create(const FvPreprocess *preprocess, FvPreprocessor **preprocessor, FvError *err) {
  *preprocessor = NULL;
  const FvPreprocess *w = preprocess;
  if (w->width < 1 || w->height < 1 || w->width > FV_MAX_FRAME_SIDE || w->height > FV_MAX_FRAME_SIDE)
    return fv_error_set(err, FV_ERR_CONFIG, "the model's input is %dx%d pixels, not 1 to %d on a side: set preprocess: width and height",
                        w->width, w->height, FV_MAX_FRAME_SIDE);
  FvPreprocessor *p = calloc(1, sizeof *p);
  if (!p) return fv_error_set(err, FV_ERR_NO_MEMORY, "no memory for preprocessing");
  p->wanted = *w;
  p->kernels = fv_sample_kernels_select(fv_cpu_flags());
  *preprocessor = p;
  return FV_OK;
}

void fv_preprocessor_destroy(FvPreprocessor **preprocessor) {
  if (!preprocessor || !*preprocessor) return;
  free((*preprocessor)->memory);
  free(*preprocessor);
  *preprocessor = NULL;
}

/* Which part of the frame lands where in the input. */
static void place(FvPreprocessor *p, int width, int height) {
  const FvPreprocess *w = &p->wanted;
  p->source = (FvRect){0, 0, width, height};
  p->target = (FvRect){0, 0, w->width, w->height};
  double sx = (double)w->width / width, sy = (double)w->height / height;
  if (w->resize == FV_RESIZE_LETTERBOX || w->resize == FV_RESIZE_LETTERBOX_TOP_LEFT) {
    double scale = sx < sy ? sx : sy;
    p->target.width = (int)fmax(1, fmin(w->width, rint(width * scale)));
    p->target.height = (int)fmax(1, fmin(w->height, rint(height * scale)));
    if (w->resize == FV_RESIZE_LETTERBOX) {
      p->target.x = (w->width - p->target.width) / 2;
      p->target.y = (w->height - p->target.height) / 2;
    }
  } else if (w->resize == FV_RESIZE_CENTER_CROP) {
    double scale = sx > sy ? sx : sy;
    p->source.width = (int)fmax(1, fmin(width, rint(w->width / scale)));
    p->source.height = (int)fmax(1, fmin(height, rint(w->height / scale)));
    p->source.x = (width - p->source.width) / 2;
    p->source.y = (height - p->source.height) / 2;
  }
}

/* Left (or upper) sample and weight of the other for each of count outputs. The left one stays below the last sample, so that the neighbour is always
 * there: the weight reaches 1 instead. `shrink` is how many pixels a sample of this plane spans; samples sit at their middle. */
static void fill_axis(int count, int begin, int length, int shrink, int samples, int32_t *at, float *weight) {
  for (int i = 0; i < count; i++) {
    double pixel = begin + (i + 0.5) * length / count - 0.5;
    pixel = fmin(fmax(pixel, begin), begin + length - 1);
    double sample = fmin(fmax((pixel + 0.5) / shrink - 0.5, 0), samples - 1);
    int left = (int)sample;
    if (left > samples - 2) left = samples > 1 ? samples - 2 : 0;
    at[i] = left;
    weight[i] = samples > 1 ? (float)(sample - left) : 0.0f;
  }
}

/* The samplers of a format: plane, pixels per sample across and down, bytes per sample, bytes of the components. */
typedef struct FvSamplerLayout {
  int plane, across, down, step, components, byte[3];
} FvSamplerLayout;

static int sampler_layouts(FvPixelFormat format, FvSamplerLayout layout[MAX_SAMPLERS]) {
  switch (format) {
    case FV_FORMAT_NV12:
      layout[0] = (FvSamplerLayout){0, 1, 1, 1, 1, {0}};
      layout[1] = (FvSamplerLayout){1, 2, 2, 2, 2, {0, 1}};
      return 2;
    case FV_FORMAT_I420:
      layout[0] = (FvSamplerLayout){0, 1, 1, 1, 1, {0}};
      layout[1] = (FvSamplerLayout){1, 2, 2, 1, 1, {0}};
      layout[2] = (FvSamplerLayout){2, 2, 2, 1, 1, {0}};
      return 3;
    case FV_FORMAT_YUY2:
      layout[0] = (FvSamplerLayout){0, 1, 1, 2, 1, {0}};
      layout[1] = (FvSamplerLayout){0, 2, 1, 4, 2, {1, 3}};
      return 2;
    case FV_FORMAT_RGB: layout[0] = (FvSamplerLayout){0, 1, 1, 3, 3, {0, 1, 2}}; return 1;
    case FV_FORMAT_BGR: layout[0] = (FvSamplerLayout){0, 1, 1, 3, 3, {2, 1, 0}}; return 1;
    case FV_FORMAT_RGBA:
    case FV_FORMAT_RGBX: layout[0] = (FvSamplerLayout){0, 1, 1, 4, 3, {0, 1, 2}}; return 1;
    case FV_FORMAT_BGRA:
    case FV_FORMAT_BGRX: layout[0] = (FvSamplerLayout){0, 1, 1, 4, 3, {2, 1, 0}}; return 1;
    default: layout[0] = (FvSamplerLayout){0, 1, 1, 1, 1, {0}}; return 1;
  }
}

static int is_yuv(FvPixelFormat format) { return format == FV_FORMAT_NV12 || format == FV_FORMAT_I420 || format == FV_FORMAT_YUY2; }

/* Hands out pieces of the one block, or, while block is NULL, adds up what it will take. */
typedef struct FvCarver {
  char *block;
  size_t used;
} FvCarver;

static void *carve(FvCarver *carver, size_t count, size_t size) {
  void *piece = carver->block ? carver->block + carver->used : NULL;
  carver->used += (count * size + 63) / 64 * 64;
  return piece;
}

static void carve_all(FvPreprocessor *p, FvCarver *carver) {
  size_t width = (size_t)p->target.width, height = (size_t)p->target.height;
  for (int s = 0; s < p->sampler_count; s++) {
    FvPlaneSampler *sampler = &p->samplers[s];
    sampler->across.offset = carve(carver, width, sizeof(int32_t));
    sampler->across.weight = carve(carver, width, sizeof(float));
    sampler->row = carve(carver, height, sizeof(int32_t));
    sampler->row_weight = carve(carver, height, sizeof(float));
  }
  FvPartRows *parts = carve(carver, (size_t)p->parts, sizeof *parts);
  p->part_rows = parts;
  for (int i = 0; i < p->parts; i++)
    for (int k = 0; k < 3; k++) {
      float *first = carve(carver, width, sizeof(float)), *second = carve(carver, width, sizeof(float));
      float *mixed = carve(carver, width, sizeof(float));
      if (!carver->block) continue;
      parts[i].sampled[k][0] = first;
      parts[i].sampled[k][1] = second;
      parts[i].mixed[k] = mixed;
    }
}

static void fill_sampler(FvPreprocessor *p, FvPlaneSampler *sampler, const FvSamplerLayout *layout) {
  FvRowSampler *across = &sampler->across;
  int columns = (p->frame_width + layout->across - 1) / layout->across;
  int row_bytes = fv_format_row_bytes(p->format, layout->plane, p->frame_width);
  fill_axis(across->count, p->source.x, p->source.width, layout->across, columns, across->offset, across->weight);
  fill_axis(p->target.height, p->source.y, p->source.height, layout->down, sampler->rows, sampler->row, sampler->row_weight);
  across->safe = 0;
  for (int x = 0; x < across->count; x++) {
    across->offset[x] *= layout->step;
    if (across->offset[x] + across->step + 4 <= row_bytes) across->safe = x + 1; /* offsets rise */
  }
}

static int prepare(FvPreprocessor *p, const FvFrame *frame, int parts, FvError *err) {
  if (p->memory && p->format == frame->format && p->frame_width == frame->width && p->frame_height == frame->height && p->parts >= parts)
    return FV_OK;
  free(p->memory);
  p->memory = NULL;
  p->format = frame->format;
  p->frame_width = frame->width;
  p->frame_height = frame->height;
  p->parts = parts;
  p->generation++;
  place(p, frame->width, frame->height);
  FvSamplerLayout layout[MAX_SAMPLERS];
  p->sampler_count = sampler_layouts(frame->format, layout);
  if (is_yuv(frame->format) && p->wanted.channels == FV_CHANNELS_GRAY) p->sampler_count = 1; /* luma is all that is wanted */
  int first = 0;
  for (int s = 0; s < p->sampler_count; s++) {
    const FvSamplerLayout *l = &layout[s];
    int columns = (frame->width + l->across - 1) / l->across, rows = (frame->height + l->down - 1) / l->down;
    p->samplers[s] = (FvPlaneSampler){.across = {.count = p->target.width, .step = columns > 1 ? l->step : 0, .components = l->components,
                                                 .byte = {l->byte[0], l->byte[1], l->byte[2]}},
                                      .plane = l->plane, .first = first, .rows = rows, .row_step = rows > 1};
    first += l->components;
  }
  FvCarver carver = {0};
  carve_all(p, &carver);
  p->memory = carver.block = aligned_alloc(64, carver.used);
  if (!p->memory) return fv_error_set(err, FV_ERR_NO_MEMORY, "no memory for %zu bytes of preprocessing tables", carver.used);
  carver.used = 0;
  carve_all(p, &carver);
  for (int s = 0; s < p->sampler_count; s++) fill_sampler(p, &p->samplers[s], &layout[s]);
  return FV_OK;
}

static void fill_colour(FvRowMix *mix, const FvFrame *frame) {
  FvColorMatrix matrix = frame->matrix;
  if (matrix == FV_MATRIX_DEFAULT) matrix = frame->height >= 720 ? FV_MATRIX_BT709 : FV_MATRIX_BT601;
  mix->yuv = is_yuv(frame->format);
  int limited = frame->range == FV_RANGE_LIMITED || (frame->range == FV_RANGE_DEFAULT && mix->yuv);
  /* Luma weights of red and blue: ITU-R BT.601, BT.709, BT.2020 (non-constant luminance). */
  double kr = matrix == FV_MATRIX_BT709 ? 0.2126 : matrix == FV_MATRIX_BT2020 ? 0.2627 : 0.299;
  double kb = matrix == FV_MATRIX_BT709 ? 0.0722 : matrix == FV_MATRIX_BT2020 ? 0.0593 : 0.114;
  double kg = 1 - kr - kb, chroma = limited ? 255.0 / 224 : 1;
  mix->offset = limited ? 16.0f : 0.0f;
  mix->gain = limited ? (float)(255.0 / 219) : 1.0f;
  mix->red_v = (float)(2 * (1 - kr) * chroma);
  mix->blue_u = (float)(2 * (1 - kb) * chroma);
  mix->green_u = (float)(-2 * (1 - kb) * kb / kg * chroma);
  mix->green_v = (float)(-2 * (1 - kr) * kr / kg * chroma);
}

/* Bytes are pixels as they are; floats are normalised. */
static void fill_normalisation(FvRun *run) {
  const FvPreprocess *w = &run->p->wanted;
  for (int c = 0; c < 3; c++) {
    run->mix.order[c] = w->channels == FV_CHANNELS_BGR ? 2 - c : c;
    run->mix.mean[c] = run->input->dtype == FV_DTYPE_F32 ? w->mean[c] : 0.0f;
    run->mix.scale[c] = run->input->dtype == FV_DTYPE_F32 ? w->scale[c] : 1.0f;
    run->pad[c] = ((float)w->pad_value - run->mix.mean[c]) * run->mix.scale[c];
  }
}

static int check_input(const FvPreprocess *w, const FvTensor *input, FvError *err) {
  int channels = w->channels == FV_CHANNELS_GRAY ? 1 : 3;
  int c = w->channels_last ? 3 : 1, y = w->channels_last ? 1 : 2;
  bool fits = input->rank == 4 && input->dims[0] == 1 && input->dims[c] == channels && input->dims[y] == w->height && input->dims[y + 1] == w->width;
  if (fits && (input->dtype == FV_DTYPE_F32 || input->dtype == FV_DTYPE_U8 || input->dtype == FV_DTYPE_I8)) return FV_OK;
  char text[128];
  return fv_error_set(err, FV_ERR_CONFIG, "the model's input is %s, the description says %s f32, u8 or i8 with %d channel%s, %d wide, %d high",
                      fv_tensor_describe(input, text, sizeof text), w->channels_last ? "[1, H, W, C]" : "[1, C, H, W]", channels,
                      channels > 1 ? "s" : "", w->width, w->height);
}

static int to_byte(float v) { return (int)(v + 0.5f); }

/* Columns [begin, end) of one channel and row set to one value. */
static void fill_columns(const FvRun *run, int channel, int y, int begin, int end, float value) {
  int64_t at = channel * run->channel_stride + y * run->row_stride + begin * run->column_stride, step = run->column_stride;
  if (run->input->dtype == FV_DTYPE_F32) {
    float *to = (float *)run->input->data + at;
    for (int x = begin; x < end; x++, to += step) *to = value;
  } else {
    uint8_t *to = (uint8_t *)run->input->data + at;
    int byte = to_byte(value) - (run->input->dtype == FV_DTYPE_I8 ? 128 : 0);
    for (int x = begin; x < end; x++, to += step) *to = (uint8_t)byte;
  }
}

static void store_columns(const FvRun *run, int channel, int y, const float *from) {
  const FvRect *target = &run->p->target;
  int64_t at = channel * run->channel_stride + y * run->row_stride + target->x * run->column_stride, step = run->column_stride;
  if (run->input->dtype == FV_DTYPE_F32) {
    float *to = (float *)run->input->data + at;
    for (int x = 0; x < target->width; x++, to += step) *to = from[x];
  } else {
    uint8_t *to = (uint8_t *)run->input->data + at;
    int bias = run->input->dtype == FV_DTYPE_I8 ? 128 : 0;
    for (int x = 0; x < target->width; x++, to += step) *to = (uint8_t)(to_byte(from[x]) - bias);
  }
}

/* Sampled rows around output row `line` (counted from the target's top), from the part's slots or made now. */
static void take_rows(const FvRun *run, FvPartRows *rows, int line, FvRowMix *mix) {
  for (int s = 0; s < run->p->sampler_count; s++) {
    const FvPlaneSampler *sampler = &run->p->samplers[s];
    int upper = sampler->row[line], first = sampler->first, plane = sampler->plane;
    for (int r = upper; r <= upper + sampler->row_step; r++) {
      if (rows->held[s][r & 1] == r) continue;
      float *out[3] = {NULL};
      for (int k = 0; k < sampler->across.components; k++) out[k] = rows->sampled[first + k][r & 1];
      run->p->kernels->sample(&sampler->across, run->frame->plane[plane] + (ptrdiff_t)r * run->frame->stride[plane], out);
      rows->held[s][r & 1] = r;
    }
    for (int k = 0; k < sampler->across.components; k++) {
      mix->top[first + k] = rows->sampled[first + k][upper & 1];
      mix->bottom[first + k] = rows->sampled[first + k][(upper + sampler->row_step) & 1];
      mix->weight[first + k] = sampler->row_weight[line];
    }
  }
}

static void make_row(const FvRun *run, FvPartRows *rows, int y) {
  const FvRect *target = &run->p->target;
  int width = run->p->wanted.width;
  FvRowMix mix = run->mix;
  take_rows(run, rows, y - target->y, &mix);
  bool direct = run->input->dtype == FV_DTYPE_F32 && run->column_stride == 1;
  for (int c = 0; c < run->channels; c++)
    mix.out[c] = direct ? (float *)run->input->data + c * run->channel_stride + y * run->row_stride + target->x : rows->mixed[c];
  run->p->kernels->mix(&mix);
  for (int c = 0; c < run->channels; c++) {
    if (!direct) store_columns(run, c, y, rows->mixed[c]);
    fill_columns(run, c, y, 0, target->x, run->pad[c]);
    fill_columns(run, c, y, target->x + target->width, width, run->pad[c]);
  }
}

static void run_part(void *arg, int part) {
  const FvRun *run = arg;
  const FvPreprocessor *p = run->p;
  FvPartRows *rows = &p->part_rows[part];
  memset(rows->held, -1, sizeof rows->held);
  FvRange range = fv_split(p->wanted.height, 1, part, run->parts);
  for (int y = (int)range.begin; y < (int)range.end; y++) {
    if (y >= p->target.y && y < p->target.y + p->target.height) {
      make_row(run, rows, y);
    } else {
      for (int c = 0; c < run->channels; c++) fill_columns(run, c, y, 0, p->wanted.width, run->pad[c]);
    }
  }
}

/* Everything up to the first pixel. */
static int begin(FvRun *run, FvFrameMap *map, FvError *err) {
  FvPreprocessor *p = run->p;
  int result = fv_frame_check(run->frame, err);
  if (result == FV_OK) result = check_input(&p->wanted, run->input, err);
  if (result == FV_OK) result = prepare(p, run->frame, run->parts, err);
  if (result < 0) return result;
  bool last = p->wanted.channels_last;
  run->channels = p->wanted.channels == FV_CHANNELS_GRAY ? 1 : 3;
  run->channel_stride = run->input->strides[last ? 3 : 1];
  run->row_stride = run->input->strides[last ? 1 : 2];
  run->column_stride = run->input->strides[last ? 2 : 3];
  run->mix.count = p->target.width;
  run->mix.channels = run->channels;
  fill_colour(&run->mix, run->frame);
  fill_normalisation(run);
  if (map) {
    map->scale_x = (float)p->target.width / (float)p->source.width;
    map->scale_y = (float)p->target.height / (float)p->source.height;
    map->offset_x = (float)p->target.x - (float)p->source.x * map->scale_x;
    map->offset_y = (float)p->target.y - (float)p->source.y * map->scale_y;
  }
  return FV_OK;
}

int fv_preprocessor_run(FvPreprocessor *preprocessor, const FvFrame *frame, const FvTensor *input, int threads, FvFrameMap *map, FvError *err) {
  FvPreprocessor *p = preprocessor;
  int parts = threads < 1 ? 1 : threads > FV_MAX_THREADS ? FV_MAX_THREADS : threads;
  if (parts > p->wanted.height) parts = p->wanted.height;
  FvRun run = {.p = p, .frame = frame, .input = input, .parts = parts};
  if (frame && frame->dma) return fv_error_set(err, FV_ERR_UNSUPPORTED, "the frame lies in DMA buffers, which the host has to map first");
  int result = begin(&run, map, err);
  if (result < 0) return result;
  if (parts > 1)
    fv_pool_run(parts, run_part, &run);
  else
    run_part(&run, 0);
  return FV_OK;
}

int fv_preprocessor_sampling(FvPreprocessor *preprocessor, const FvFrame *frame, const FvTensor *input, FvSampling *sampling, FvFrameMap *map, FvError *err) {
  FvRun run = {.p = preprocessor, .frame = frame, .input = input, .parts = 1};
  int result = begin(&run, map, err);
  if (result < 0) return result;
  *sampling = (FvSampling){
    .generation = preprocessor->generation, .samplers = preprocessor->samplers, .sampler_count = preprocessor->sampler_count, .target = preprocessor->target, .mix = run.mix,
    .pad = {run.pad[0], run.pad[1], run.pad[2]}, .channel_stride = run.channel_stride, .row_stride = run.row_stride, .column_stride = run.column_stride,
  };
  return FV_OK;
}
