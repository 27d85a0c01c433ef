#include "support.h"

#include <string.h>

int pictures_pixel(int picture, int x, int y, int channel, int width) {
  guint32 state = (guint32)(picture * 7919 + (y * width + x) * 3 + channel) * 2654435761u;
  state ^= state >> 15;
  state *= 2246822519u;
  return (int)(state >> 24);
}

static int read_picture(void *data, int index, FvFrame *frame, FvError *err) {
  Pictures *it = data;
  (void)err;
  for (int y = 0; y < it->height; y++)
    for (int x = 0; x < it->width; x++)
      for (int c = 0; c < 3; c++) it->pixels[(y * it->width + x) * 3 + c] = (guint8)pictures_pixel(index, x, y, c, it->width);
  *frame = (FvFrame){.format = FV_FORMAT_RGB, .width = it->width, .height = it->height, .plane = {it->pixels}, .stride = {it->width * 3}};
  return 0;
}

void pictures_init(Pictures *pictures, int count, int width, int height) {
  *pictures = (Pictures){.width = width, .height = height, .pixels = g_malloc((gsize)width * (gsize)height * 3)};
  pictures->source = (FvPictureSource){.count = count, .read = read_picture, .data = pictures};
}

void pictures_finish(Pictures *pictures) { g_clear_pointer(&pictures->pixels, g_free); }

float *support_noise(Build *build, guint32 seed, gsize count) {
  float *data = build_alloc(build, count * sizeof *data);
  for (gsize i = 0; i < count; i++) {
    seed = seed * 1664525u + 1013904223u;
    data[i] = (float)(seed >> 8) / (float)(1 << 24) * 2 - 1;
  }
  return data;
}

void support_weights(Build *build, const char *name, const float *data, int rank, const int64_t *dims) {
  gsize count = 1;
  for (int d = 0; d < rank; d++) count *= (gsize)dims[d];
  build_raw(build, build_tensor(build, name, FLOAT, rank, dims), data, count * sizeof *data);
}

FvModel *support_open(Build *build) {
  FvModel *model = NULL;
  FvError err;
  GBytes *bytes = build_pack(build);
  gsize size;
  const void *data = g_bytes_get_data(bytes, &size);
  if (fv_model_open_memory(data, size, "made.onnx", NULL, &model, &err) < 0) g_error("%s", err.message);
  g_bytes_unref(bytes);
  return model;
}
