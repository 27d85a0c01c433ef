#include "canvas.h"

#include <math.h>

static guint8 to_byte(gdouble value) {
  return (guint8)CLAMP(lrint(value), 0, 255);
}

/* Y = Kr R + Kg G + Kb B, Cb = (B - Y) / (2 (1 - Kb)), Cr = (R - Y) / (2 (1 - Kr)); ITU-R BT.601, BT.709, BT.2020. */
static void set_yuv(FoveaPaint *paint, const GstVideoInfo *info, FoveaColor color) {
  gdouble kr = 0.299, kb = 0.114;
  gst_video_color_matrix_get_Kr_Kb(info->colorimetry.matrix, &kr, &kb);
  gint offset[GST_VIDEO_MAX_COMPONENTS], scale[GST_VIDEO_MAX_COMPONENTS];
  gst_video_color_range_offsets(info->colorimetry.range, info->finfo, offset, scale);
  gdouble r = color.r / 255.0, g = color.g / 255.0, b = color.b / 255.0;
  gdouble y = kr * r + (1.0 - kr - kb) * g + kb * b;
  paint->value[GST_VIDEO_COMP_Y] = to_byte(offset[0] + scale[0] * y);
  paint->value[GST_VIDEO_COMP_U] = to_byte(offset[1] + scale[1] * (b - y) / (2.0 * (1.0 - kb)));
  paint->value[GST_VIDEO_COMP_V] = to_byte(offset[2] + scale[2] * (r - y) / (2.0 * (1.0 - kr)));
}

FoveaPaint fovea_canvas_paint(const GstVideoInfo *info, FoveaColor color) {
  FoveaPaint paint = {.value = {color.r, color.g, color.b, 255}};
  if (GST_VIDEO_INFO_IS_YUV(info))
    set_yuv(&paint, info, color);
  else if (GST_VIDEO_INFO_IS_GRAY(info))
    paint.value[0] = to_byte(0.299 * color.r + 0.587 * color.g + 0.114 * color.b);
  return paint;
}

typedef struct Span {
  gint begin, end;
} Span;

/* Samples of a component that begin inside the pixels [from, from + length); subsampling is a shift. */
static Span component_span(gint from, gint length, gint limit, guint subsampling) {
  gint begin = CLAMP(from, 0, limit), end = CLAMP(from + length, begin, limit);
  gint round = (1 << subsampling) - 1;
  return (Span){begin >> subsampling, (end + round) >> subsampling};
}

void fovea_canvas_fill(GstVideoFrame *frame, gint x, gint y, gint width, gint height, const FoveaPaint *paint) {
  const GstVideoFormatInfo *format = frame->info.finfo;
  for (guint component = 0; component < GST_VIDEO_FORMAT_INFO_N_COMPONENTS(format); component++) {
    Span columns = component_span(x, width, GST_VIDEO_FRAME_WIDTH(frame), GST_VIDEO_FORMAT_INFO_W_SUB(format, component));
    Span rows = component_span(y, height, GST_VIDEO_FRAME_HEIGHT(frame), GST_VIDEO_FORMAT_INFO_H_SUB(format, component));
    gint step = GST_VIDEO_FRAME_COMP_PSTRIDE(frame, component), stride = GST_VIDEO_FRAME_COMP_STRIDE(frame, component);
    guint8 *base = GST_VIDEO_FRAME_COMP_DATA(frame, component), value = paint->value[component];
    for (gint row = rows.begin; row < rows.end; row++) {
      guint8 *line = base + (gssize)row * stride;
      for (gint column = columns.begin; column < columns.end; column++)
        line[column * step] = value;
    }
  }
}

void fovea_canvas_mask(GstVideoFrame *frame, gint x, gint y, const FoveaMask *mask, const FoveaPaint *ink,
                       const FoveaPaint *ground) {
  const GstVideoFormatInfo *format = frame->info.finfo;
  for (guint component = 0; component < GST_VIDEO_FORMAT_INFO_N_COMPONENTS(format); component++) {
    guint w_sub = GST_VIDEO_FORMAT_INFO_W_SUB(format, component), h_sub = GST_VIDEO_FORMAT_INFO_H_SUB(format, component);
    Span columns = component_span(x, mask->width, GST_VIDEO_FRAME_WIDTH(frame), w_sub);
    Span rows = component_span(y, mask->height, GST_VIDEO_FRAME_HEIGHT(frame), h_sub);
    gint step = GST_VIDEO_FRAME_COMP_PSTRIDE(frame, component), stride = GST_VIDEO_FRAME_COMP_STRIDE(frame, component);
    guint8 *base = GST_VIDEO_FRAME_COMP_DATA(frame, component);
    gint over = ink->value[component], under = ground->value[component];
    for (gint row = rows.begin; row < rows.end; row++) {
      const guint8 *coverage = mask->coverage + (gssize)CLAMP((row << h_sub) - y, 0, mask->height - 1) * mask->stride;
      guint8 *line = base + (gssize)row * stride;
      for (gint column = columns.begin; column < columns.end; column++) {
        gint alpha = coverage[CLAMP((column << w_sub) - x, 0, mask->width - 1)];
        line[column * step] = (guint8)((over * alpha + under * (255 - alpha) + 127) / 255);
      }
    }
  }
}
