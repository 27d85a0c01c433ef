/* Solid rectangles and text on mapped video frames of any 8-bit format, planar or packed, RGB, YUV or grey. */
#ifndef FOVEA_PLUGINS_CANVAS_H
#define FOVEA_PLUGINS_CANVAS_H

#include <gst/video/video.h>

G_BEGIN_DECLS

typedef struct FoveaColor {
  guint8 r, g, b;
} FoveaColor;

/* How strongly each pixel is covered, 0..255, one byte a pixel. */
typedef struct FoveaMask {
  gint width, height, stride;
  guint8 *coverage;
} FoveaMask;

typedef struct FoveaPaint {
  guint8 value[GST_VIDEO_MAX_COMPONENTS]; /* of each component of the frame's format, alpha opaque */
} FoveaPaint;

/* The color in the frame's own components, by its matrix and range. */
FoveaPaint fovea_canvas_paint(const GstVideoInfo *info, FoveaColor color);
/* Both clip to the frame. */
void fovea_canvas_fill(GstVideoFrame *frame, gint x, gint y, gint width, gint height, const FoveaPaint *paint);
/* Draws ground, and ink over it where the mask covers. */
void fovea_canvas_mask(GstVideoFrame *frame, gint x, gint y, const FoveaMask *mask, const FoveaPaint *ink,
                       const FoveaPaint *ground);

G_END_DECLS
#endif
