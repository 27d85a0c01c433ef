/* Pictures and models made in memory. */
#ifndef FOVEA_TESTS_COMPRESS_SUPPORT_H
#define FOVEA_TESTS_COMPRESS_SUPPORT_H

#include <glib.h>

#include <fovea/compress.h>

#include "build_model.h"

/* RGB pictures of noise, always the same. */
typedef struct Pictures {
  int width, height;
  guint8 *pixels;
  FvPictureSource source;
} Pictures;

void pictures_init(Pictures *pictures, int count, int width, int height);
void pictures_finish(Pictures *pictures);
/* Pixel 0 to 255; as the network sees it where its description neither scales nor resizes. */
int pictures_pixel(int picture, int x, int y, int channel, int width);

/* Always the same numbers in -1..1. */
float *support_noise(Build *build, guint32 seed, gsize count);
void support_weights(Build *build, const char *name, const float *data, int rank, const int64_t *dims);
FvModel *support_open(Build *build);

#endif
