/* Pictures of noise in any format, for tests of what turns frames into tensors. */
#ifndef FOVEA_TESTS_VISION_NOISE_PICTURE_H
#define FOVEA_TESTS_VISION_NOISE_PICTURE_H

#include <glib.h>

#include <fovea/frame.h>

typedef struct Picture {
  FvFrame frame;
  guint8 *memory[3];
} Picture;

static guint32 noise_state;
static inline guint8 noise(void) {
  noise_state = noise_state * 1664525u + 1013904223u;
  return (guint8)(noise_state >> 24);
}

/* Planes of noise; rows lie `extra` bytes apart, bottom-up when flipped. The last row ends exactly at the end of its block, so that a sanitizer sees any
 * read behind it. */
static inline void picture_init(Picture *p, FvPixelFormat format, int width, int height, int extra, gboolean flipped) {
  *p = (Picture){.frame = {.format = format, .width = width, .height = height}};
  for (int i = 0; i < fv_format_plane_count(format); i++) {
    int bytes = fv_format_row_bytes(format, i, width), rows = fv_format_rows(format, i, height), stride = bytes + extra;
    gsize size = (gsize)stride * (gsize)(rows - 1) + (gsize)bytes;
    p->memory[i] = g_malloc(size);
    for (gsize k = 0; k < size; k++) p->memory[i][k] = noise();
    p->frame.plane[i] = flipped ? p->memory[i] + (gsize)stride * (gsize)(rows - 1) : p->memory[i];
    p->frame.stride[i] = flipped ? -stride : stride;
  }
}

static inline void picture_finish(Picture *p) {
  for (int i = 0; i < 3; i++) g_free(p->memory[i]);
}

#endif
