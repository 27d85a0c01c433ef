/* Decoded pictures as GStreamer's frames: what they look like, and their memory handed on as it is. */
#ifndef FOVEA_PLUGINS_PIXELS_H
#define FOVEA_PLUGINS_PIXELS_H

#include <gst/video/video.h>

#include "lavc.h"

G_BEGIN_DECLS

#define FOVEA_DECODE_FORMATS \
  "{ I420, GRAY8, Y42B, Y444, Y41B, GBR, A420, I420_10LE, I422_10LE, Y444_10LE, GBR_10LE, I420_12LE, I422_12LE, Y444_12LE, GBR_12LE }"

/* All that makes new caps necessary when it changes. Compared with memcmp: filled by fovea_picture_form only. */
typedef struct FoveaPictureForm {
  GstVideoFormat format; /* UNKNOWN: GStreamer has none for this one */
  gint width, height;
  gint par_n, par_d; /* 0/0: the stream does not say */
  GstVideoColorimetry colorimetry; /* unknown fields: the stream does not say */
  GstVideoChromaSite chroma_site;
  gboolean interlaced;
} FoveaPictureForm;

void fovea_picture_form(const AVFrame *picture, FoveaPictureForm *form);
gboolean fovea_picture_is_interlaced(const AVFrame *picture);
gboolean fovea_picture_is_top_first(const AVFrame *picture);

/* A buffer of the picture's own memory, with a GstVideoMeta. Memory that the decoder still reads is read-only. NULL: the planes are not as a GstVideoMeta can say. */
GstBuffer *fovea_picture_wrap(const FoveaLavc *lavc, const AVFrame *picture, GstVideoFormat format);
/* Into a mapped frame of the same format and size. */
void fovea_picture_copy(const AVFrame *picture, GstVideoFrame *frame);
/* FoveaMotionVector, or NULL when there are none. */
GBytes *fovea_picture_motion(const FoveaLavc *lavc, const AVFrame *picture);

G_END_DECLS
#endif
