/**
 * SECTION:element-foveaoverlay
 * @title: foveaoverlay
 *
 * Draws what the buffers' metas describe: boxes, labels, scores, track numbers and landmarks. Reads region-of-interest and
 * analytics metas, whoever wrote them, and draws into the frame's own format, so that no conversion is needed before it.
 *
 * |[
 * gst-launch-1.0 filesrc location=street.mp4 ! decodebin ! videoconvert ! foveadetect model=nanodet_m_320.onnx ! foveaoverlay \
 *   ! videoconvert ! autovideosink
 * ]|
 */
#include "foveaoverlay.h"

#include <cairo.h>
#include <math.h>

#include "canvas.h"
#include "common/framemeta.h"
#include "common/meta.h"

GST_DEBUG_CATEGORY_STATIC(fovea_overlay_debug);
#define GST_CAT_DEFAULT fovea_overlay_debug

#define FORMATS \
  "{ NV12, I420, YUY2, RGB, BGR, RGBA, BGRA, RGBx, BGRx, GRAY8, NV21, YV12, UYVY, Y42B, Y444, NV16, ARGB, ABGR, xRGB, xBGR }"

static GstStaticPadTemplate sink_template =
  GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE(FORMATS)));
static GstStaticPadTemplate src_template =
  GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE(FORMATS)));

#define MAX_MASKS 512     /* text pictures kept; then all are made anew */
#define MAX_TEXT_BYTES 96 /* of one label as drawn */
#define MAX_LINE_WIDTH 32
#define MAX_FONT_SIZE 200

enum { PROP_0, PROP_LINE_WIDTH, PROP_FONT_SIZE, PROP_SHOW_LABELS, PROP_SHOW_SCORES, PROP_SHOW_IDS, PROP_MIN_CONFIDENCE };

typedef struct Look {
  guint line_width, font_size; /* pixels; 0 by frame size */
  gboolean show_labels, show_scores, show_ids;
  gfloat min_confidence;
} Look;

struct _GstFoveaOverlay {
  GstVideoFilter parent;
  Look look; /* object lock */

  /* streaming thread */
  GHashTable *masks; /* text -> FoveaMask */
  guint mask_size;   /* font size that they were made with */
  GArray *objects;   /* FoveaObject */
};

G_DEFINE_TYPE_WITH_CODE(GstFoveaOverlay, gst_fovea_overlay, GST_TYPE_VIDEO_FILTER,
                        GST_DEBUG_CATEGORY_INIT(fovea_overlay_debug, "foveaoverlay", 0, "drawing of detections"))
GST_ELEMENT_REGISTER_DEFINE(foveaoverlay, "foveaoverlay", GST_RANK_NONE, GST_TYPE_FOVEA_OVERLAY)

/* Ten hues that stay apart for most eyes, and on most pictures. */
static const FoveaColor palette[] = {
  {230, 25, 75},  {60, 180, 75},  {0, 130, 200},  {255, 225, 25}, {245, 130, 48},
  {145, 30, 180}, {70, 240, 240}, {240, 50, 230}, {210, 245, 60}, {0, 128, 128},
};

static FoveaColor object_color(const FoveaObject *object) {
  guint index = object->label_id >= 0 ? (guint)object->label_id : g_str_hash(object->label);
  return palette[index % G_N_ELEMENTS(palette)];
}

/* Black or white, whichever stands out: W3C's relative brightness. */
static FoveaColor readable_on(FoveaColor ground) {
  gboolean bright = ground.r * 299 + ground.g * 587 + ground.b * 114 > 128 * 1000;
  return bright ? (FoveaColor){0, 0, 0} : (FoveaColor){255, 255, 255};
}

/* --- text -------------------------------------------------------------------------------------------------- */

static void mask_free(gpointer data) {
  FoveaMask *mask = data;
  g_free(mask->coverage);
  g_free(mask);
}

static void select_font(cairo_t *cairo, guint size) {
  cairo_select_font_face(cairo, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_BOLD);
  cairo_set_font_size(cairo, size);
}

static void measure_text(const gchar *text, guint size, cairo_text_extents_t *text_extents, cairo_font_extents_t *font_extents) {
  cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_A8, 1, 1);
  cairo_t *cairo = cairo_create(surface);
  select_font(cairo, size);
  cairo_text_extents(cairo, text, text_extents);
  cairo_font_extents(cairo, font_extents);
  cairo_destroy(cairo);
  cairo_surface_destroy(surface);
}

static FoveaMask *mask_new(const gchar *text, guint size) {
  cairo_text_extents_t extents;
  cairo_font_extents_t font;
  measure_text(text, size, &extents, &font);
  gint margin = (gint)MAX(size / 5, 1);
  FoveaMask *mask = g_new0(FoveaMask, 1);
  mask->width = CLAMP((gint)ceil(extents.x_advance), 1, 4096) + 2 * margin;
  mask->height = CLAMP((gint)ceil(font.ascent + font.descent), 1, 4 * MAX_FONT_SIZE) + margin;
  mask->stride = cairo_format_stride_for_width(CAIRO_FORMAT_A8, mask->width);
  mask->coverage = g_malloc0((gsize)mask->stride * mask->height);
  cairo_surface_t *surface =
    cairo_image_surface_create_for_data(mask->coverage, CAIRO_FORMAT_A8, mask->width, mask->height, mask->stride);
  cairo_t *cairo = cairo_create(surface);
  select_font(cairo, size);
  cairo_move_to(cairo, margin, margin / 2.0 + font.ascent);
  cairo_show_text(cairo, text);
  cairo_destroy(cairo);
  cairo_surface_finish(surface);
  cairo_surface_destroy(surface);
  return mask;
}

static const FoveaMask *find_mask(GstFoveaOverlay *self, const gchar *text, guint size) {
  if (self->mask_size != size || g_hash_table_size(self->masks) >= MAX_MASKS)
    g_hash_table_remove_all(self->masks);
  self->mask_size = size;
  FoveaMask *mask = g_hash_table_lookup(self->masks, text);
  if (!mask) {
    mask = mask_new(text, size);
    g_hash_table_insert(self->masks, g_strdup(text), mask);
  }
  return mask;
}

/* "person 7 83%", as far as wanted and known; empty when nothing is. Never cuts a character in two. */
static void make_text(const FoveaObject *object, const Look *look, gchar text[MAX_TEXT_BYTES]) {
  gchar number[24] = "", percent[16] = "", label[MAX_TEXT_BYTES / 2] = "";
  if (look->show_labels) {
    g_strlcpy(label, object->label, sizeof(label));
    const gchar *end;
    if (!g_utf8_validate(label, -1, &end))
      label[end - label] = '\0';
  }
  if (look->show_ids && object->id >= 0)
    g_snprintf(number, sizeof(number), "%s%" G_GINT64_FORMAT, *label ? " " : "", object->id);
  if (look->show_scores && object->confidence >= 0.0f)
    g_snprintf(percent, sizeof(percent), "%s%d%%", *label || *number ? " " : "",
               (gint)lrintf(100.0f * MIN(object->confidence, 1.0f)));
  g_snprintf(text, MAX_TEXT_BYTES, "%s%s%s", label, number, percent);
}

/* --- drawing ----------------------------------------------------------------------------------------------- */

static void draw_box(GstVideoFrame *frame, gint x, gint y, gint w, gint h, gint line, const FoveaPaint *paint) {
  gint across = MIN(line, h), along = MIN(line, w);
  fovea_canvas_fill(frame, x, y, w, across, paint);
  fovea_canvas_fill(frame, x, y + h - across, w, across, paint);
  fovea_canvas_fill(frame, x, y, along, h, paint);
  fovea_canvas_fill(frame, x + w - along, y, along, h, paint);
}

/* Above the box where there is room, else inside its upper edge; always inside the frame. */
static void draw_text(GstFoveaOverlay *self, GstVideoFrame *frame, gint x, gint y, const gchar *text, guint size,
                      FoveaColor color) {
  const FoveaMask *mask = find_mask(self, text, size);
  FoveaPaint ink = fovea_canvas_paint(&frame->info, readable_on(color)), ground = fovea_canvas_paint(&frame->info, color);
  gint left = CLAMP(x, 0, MAX(GST_VIDEO_FRAME_WIDTH(frame) - mask->width, 0));
  gint top = y >= mask->height ? y - mask->height : MAX(y, 0);
  fovea_canvas_mask(frame, left, top, mask, &ink, &ground);
}

/* Other elements' metas are not bounded; two frames' width is as far as a line can matter. */
static gint to_pixel(gfloat value) {
  return isfinite(value) ? (gint)lrintf(CLAMP(value, -32768.0f, 65535.0f)) : 0;
}

static void draw_object(GstFoveaOverlay *self, GstVideoFrame *frame, const FoveaObject *object, const Look *look) {
  FoveaColor color = object_color(object);
  FoveaPaint paint = fovea_canvas_paint(&frame->info, color);
  gint x = to_pixel(object->x0), y = to_pixel(object->y0), line = (gint)look->line_width;
  draw_box(frame, x, y, MAX(to_pixel(object->x1) - x, 1), MAX(to_pixel(object->y1) - y, 1), line, &paint);
  gint radius = line + 1;
  for (gint i = 0; i < object->landmark_count; i++)
    fovea_canvas_fill(frame, to_pixel(object->landmarks[i][0]) - radius, to_pixel(object->landmarks[i][1]) - radius, 2 * radius,
                      2 * radius, &paint);
  gchar text[MAX_TEXT_BYTES];
  make_text(object, look, text);
  if (*text)
    draw_text(self, frame, x, y, text, look->font_size, color);
}

static Look current_look(GstFoveaOverlay *self, const GstVideoFrame *frame) {
  GST_OBJECT_LOCK(self);
  Look look = self->look;
  GST_OBJECT_UNLOCK(self);
  guint side = (guint)MIN(GST_VIDEO_FRAME_WIDTH(frame), GST_VIDEO_FRAME_HEIGHT(frame));
  if (look.line_width == 0)
    look.line_width = CLAMP(side / 240, 1, MAX_LINE_WIDTH);
  if (look.font_size == 0)
    look.font_size = CLAMP(side / 36, 10, MAX_FONT_SIZE);
  return look;
}

static GstFlowReturn transform_frame_ip(GstVideoFilter *filter, GstVideoFrame *frame) {
  GstFoveaOverlay *self = GST_FOVEA_OVERLAY(filter);
  FoveaFrameMeta *known = fovea_frame_meta_get(frame->buffer);
  g_array_set_size(self->objects, 0);
  fovea_meta_read(frame->buffer, GST_VIDEO_FRAME_WIDTH(frame), GST_VIDEO_FRAME_HEIGHT(frame), known ? known->label_quarks : NULL,
                  self->objects);
  Look look = current_look(self, frame);
  for (guint i = 0; i < self->objects->len; i++) {
    const FoveaObject *object = &g_array_index(self->objects, FoveaObject, i);
    if (object->confidence < 0.0f || object->confidence >= look.min_confidence)
      draw_object(self, frame, object, &look);
  }
  return GST_FLOW_OK;
}

/* --- element ----------------------------------------------------------------------------------------------- */

static void before_transform(GstBaseTransform *transform, GstBuffer *buffer) {
  if (transform->segment.format != GST_FORMAT_TIME)
    return;
  GstClockTime time = gst_segment_to_stream_time(&transform->segment, GST_FORMAT_TIME, GST_BUFFER_PTS(buffer));
  if (GST_CLOCK_TIME_IS_VALID(time))
    gst_object_sync_values(GST_OBJECT(transform), time);
}

static gboolean stop(GstBaseTransform *transform) {
  g_hash_table_remove_all(GST_FOVEA_OVERLAY(transform)->masks);
  return TRUE;
}

static void set_property(GObject *object, guint id, const GValue *value, GParamSpec *spec) {
  Look *look = &GST_FOVEA_OVERLAY(object)->look;
  GST_OBJECT_LOCK(object);
  switch (id) {
    case PROP_LINE_WIDTH: look->line_width = g_value_get_uint(value); break;
    case PROP_FONT_SIZE: look->font_size = g_value_get_uint(value); break;
    case PROP_SHOW_LABELS: look->show_labels = g_value_get_boolean(value); break;
    case PROP_SHOW_SCORES: look->show_scores = g_value_get_boolean(value); break;
    case PROP_SHOW_IDS: look->show_ids = g_value_get_boolean(value); break;
    case PROP_MIN_CONFIDENCE: look->min_confidence = g_value_get_float(value); break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
  GST_OBJECT_UNLOCK(object);
}

static void get_property(GObject *object, guint id, GValue *value, GParamSpec *spec) {
  const Look *look = &GST_FOVEA_OVERLAY(object)->look;
  GST_OBJECT_LOCK(object);
  switch (id) {
    case PROP_LINE_WIDTH: g_value_set_uint(value, look->line_width); break;
    case PROP_FONT_SIZE: g_value_set_uint(value, look->font_size); break;
    case PROP_SHOW_LABELS: g_value_set_boolean(value, look->show_labels); break;
    case PROP_SHOW_SCORES: g_value_set_boolean(value, look->show_scores); break;
    case PROP_SHOW_IDS: g_value_set_boolean(value, look->show_ids); break;
    case PROP_MIN_CONFIDENCE: g_value_set_float(value, look->min_confidence); break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
  GST_OBJECT_UNLOCK(object);
}

static void finalize(GObject *object) {
  GstFoveaOverlay *self = GST_FOVEA_OVERLAY(object);
  g_hash_table_unref(self->masks);
  g_array_unref(self->objects);
  G_OBJECT_CLASS(gst_fovea_overlay_parent_class)->finalize(object);
}

static void gst_fovea_overlay_init(GstFoveaOverlay *self) {
  self->masks = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, mask_free);
  self->objects = g_array_new(FALSE, FALSE, sizeof(FoveaObject));
  self->look = (Look){.show_labels = TRUE, .show_scores = TRUE, .show_ids = TRUE};
}

static void install_properties(GObjectClass *class) {
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING | GST_PARAM_CONTROLLABLE;
  g_object_class_install_property(
    class, PROP_LINE_WIDTH,
    g_param_spec_uint("line-width", "Line width", "Of boxes, in pixels; 0: by the size of the frame", 0, MAX_LINE_WIDTH, 0,
                      flags));
  g_object_class_install_property(
    class, PROP_FONT_SIZE,
    g_param_spec_uint("font-size", "Font size", "Of labels, in pixels; 0: by the size of the frame", 0, MAX_FONT_SIZE, 0, flags));
  g_object_class_install_property(class, PROP_SHOW_LABELS,
                                  g_param_spec_boolean("show-labels", "Show labels", "Write the class name", TRUE, flags));
  g_object_class_install_property(class, PROP_SHOW_SCORES,
                                  g_param_spec_boolean("show-scores", "Show scores", "Write the score in percent", TRUE, flags));
  g_object_class_install_property(
    class, PROP_SHOW_IDS,
    g_param_spec_boolean("show-ids", "Show track numbers", "Write the number of a tracked object", TRUE, flags));
  g_object_class_install_property(
    class, PROP_MIN_CONFIDENCE,
    g_param_spec_float("min-confidence", "Least confidence",
                       "Draw only what scores at least this, 0 to 1; objects without a score are always drawn", 0, 1, 0, flags));
}

static void gst_fovea_overlay_class_init(GstFoveaOverlayClass *klass) {
  GObjectClass *object_class = G_OBJECT_CLASS(klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS(klass);
  GstBaseTransformClass *transform_class = GST_BASE_TRANSFORM_CLASS(klass);
  object_class->set_property = set_property;
  object_class->get_property = get_property;
  object_class->finalize = finalize;
  install_properties(object_class);
  transform_class->before_transform = before_transform;
  transform_class->stop = stop;
  GST_VIDEO_FILTER_CLASS(klass)->transform_frame_ip = transform_frame_ip;
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(element_class, "Fovea overlay", "Analyzer/Visualization/Video",
                                        "Draws detected objects into the picture", "Fovea");
}
