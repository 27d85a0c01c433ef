#include "meta.h"

#include <math.h>
#include <string.h>

#include <gst/video/gstvideometa.h>

#include "framemeta.h"

#ifdef HAVE_GST_ANALYTICS
#include <gst/analytics/analytics.h>
#endif

GType fovea_meta_kind_get_type(void) {
  static gsize type = 0;
  static const GEnumValue values[] = {
    {FOVEA_META_AUTO, "Analytics where this build has it, else region of interest", "auto"},
    {FOVEA_META_ANALYTICS, "GstAnalyticsRelationMeta (GStreamer 1.24 and later)", "analytics"},
    {FOVEA_META_ROI, "GstVideoRegionOfInterestMeta", "roi"},
    {FOVEA_META_BOTH, "Both", "both"},
    {0, NULL, NULL},
  };
  if (g_once_init_enter(&type)) {
    GType known = g_type_from_name("FoveaMetaKind");
    g_once_init_leave(&type, known ? known : g_enum_register_static("FoveaMetaKind", values));
  }
  return type;
}

gboolean fovea_meta_kind_available(FoveaMetaKind kind) {
#ifdef HAVE_GST_ANALYTICS
  return TRUE;
#else
  return kind != FOVEA_META_ANALYTICS;
#endif
}

FoveaObject fovea_object_from_detection(const FvDetection *found, const gchar *label) {
  FoveaObject object = {.x0 = found->x0, .y0 = found->y0, .x1 = found->x1, .y1 = found->y1, .confidence = found->score,
                        .label_id = found->label, .label = label, .id = -1};
  object.landmark_count = CLAMP(found->landmark_count, 0, FV_MAX_LANDMARKS);
  memcpy(object.landmarks, found->landmarks, sizeof(object.landmarks[0]) * (gsize)object.landmark_count);
  return object;
}

typedef struct PixelBox {
  guint x, y, w, h;
} PixelBox;

/* Nearest whole pixels inside the frame, at least one pixel large. */
static PixelBox pixel_box(const FoveaObject *object, gint width, gint height) {
  gint x0 = CLAMP((gint)lrintf(object->x0), 0, MAX(width - 1, 0)), y0 = CLAMP((gint)lrintf(object->y0), 0, MAX(height - 1, 0));
  gint x1 = CLAMP((gint)lrintf(object->x1), x0 + 1, MAX(width, x0 + 1)),
       y1 = CLAMP((gint)lrintf(object->y1), y0 + 1, MAX(height, y0 + 1));
  return (PixelBox){(guint)x0, (guint)y0, (guint)(x1 - x0), (guint)(y1 - y0)};
}

/* --- GstVideoRegionOfInterestMeta -------------------------------------------------------------------------- */

static GstStructure *keypoints_structure(const FoveaObject *object, gint width, gint height) {
  GstStructure *structure = gst_structure_new_empty("keypoints");
  GValue points = G_VALUE_INIT, value = G_VALUE_INIT;
  g_value_init(&points, GST_TYPE_ARRAY);
  g_value_init(&value, G_TYPE_DOUBLE);
  for (gint i = 0; i < object->landmark_count; i++) {
    g_value_set_double(&value, object->landmarks[i][0] / width);
    gst_value_array_append_value(&points, &value);
    g_value_set_double(&value, object->landmarks[i][1] / height);
    gst_value_array_append_value(&points, &value);
  }
  gst_structure_take_value(structure, "points", &points);
  g_value_unset(&value);
  return structure;
}

static void roi_write(GstBuffer *buffer, const FoveaObject *object, gint width, gint height) {
  PixelBox box = pixel_box(object, width, height);
  GstVideoRegionOfInterestMeta *roi =
    gst_buffer_add_video_region_of_interest_meta(buffer, object->label, box.x, box.y, box.w, box.h);
  gst_video_region_of_interest_meta_add_param(
    roi, gst_structure_new("detection", "x_min", G_TYPE_DOUBLE, (gdouble)object->x0 / width, "x_max", G_TYPE_DOUBLE,
                           (gdouble)object->x1 / width, "y_min", G_TYPE_DOUBLE, (gdouble)object->y0 / height, "y_max",
                           G_TYPE_DOUBLE, (gdouble)object->y1 / height, "confidence", G_TYPE_DOUBLE, (gdouble)object->confidence,
                           "label_id", G_TYPE_INT, object->label_id, "label", G_TYPE_STRING, object->label, NULL));
  if (object->id >= 0) {
    roi->id = (gint)object->id;
    gst_video_region_of_interest_meta_add_param(roi, gst_structure_new("object_id", "id", G_TYPE_INT, (gint)object->id, NULL));
  }
  if (object->landmark_count > 0)
    gst_video_region_of_interest_meta_add_param(roi, keypoints_structure(object, width, height));
}

/* The params keep fractions of a pixel and survive scaling, but not cropping; the meta's own integers survive both. So the params
 * are used as long as they agree with the integers. */
static void roi_read_box(FoveaObject *object, const GstStructure *detection, gint width, gint height) {
  gdouble x_min, x_max, y_min, y_max;
  if (!gst_structure_get(detection, "x_min", G_TYPE_DOUBLE, &x_min, "x_max", G_TYPE_DOUBLE, &x_max, "y_min", G_TYPE_DOUBLE,
                         &y_min, "y_max", G_TYPE_DOUBLE, &y_max, NULL))
    return;
  const gdouble tolerance = 1.5; /* rounding to whole pixels, once more after a scaling */
  gdouble x0 = x_min * width, x1 = x_max * width, y0 = y_min * height, y1 = y_max * height;
  if (fabs(x0 - object->x0) <= tolerance && fabs(x1 - object->x1) <= tolerance && fabs(y0 - object->y0) <= tolerance &&
      fabs(y1 - object->y1) <= tolerance) {
    object->x0 = (gfloat)x0;
    object->x1 = (gfloat)x1;
    object->y0 = (gfloat)y0;
    object->y1 = (gfloat)y1;
  }
}

static void roi_read_keypoints(FoveaObject *object, const GstStructure *keypoints, gint width, gint height) {
  const GValue *points = gst_structure_get_value(keypoints, "points");
  if (!points || !GST_VALUE_HOLDS_ARRAY(points))
    return;
  guint count = MIN(gst_value_array_get_size(points) / 2, FV_MAX_LANDMARKS);
  for (guint i = 0; i < 2 * count; i++) {
    const GValue *value = gst_value_array_get_value(points, i);
    if (!G_VALUE_HOLDS_DOUBLE(value))
      return;
    object->landmarks[i / 2][i % 2] = (gfloat)(g_value_get_double(value) * (i % 2 ? height : width));
  }
  object->landmark_count = (gint)count;
}

static void object_init(FoveaObject *object, GQuark label, gdouble x, gdouble y, gdouble w, gdouble h) {
  const gchar *name = label ? g_quark_to_string(label) : NULL;
  *object = (FoveaObject){.x0 = (gfloat)x,
                          .y0 = (gfloat)y,
                          .x1 = (gfloat)(x + w),
                          .y1 = (gfloat)(y + h),
                          .confidence = -1.0f,
                          .label_id = -1,
                          .id = -1};
  object->label = name ? name : "";
}

static void roi_read(GstVideoRegionOfInterestMeta *roi, gint width, gint height, GArray *objects) {
  FoveaObject object;
  object_init(&object, roi->roi_type, roi->x, roi->y, roi->w, roi->h);
  const GstStructure *detection = gst_video_region_of_interest_meta_get_param(roi, "detection");
  if (detection) {
    gdouble confidence;
    if (gst_structure_get_double(detection, "confidence", &confidence))
      object.confidence = (gfloat)confidence;
    gst_structure_get_int(detection, "label_id", &object.label_id);
    roi_read_box(&object, detection, width, height);
  }
  const GstStructure *identity = gst_video_region_of_interest_meta_get_param(roi, "object_id");
  gint id;
  if (identity && gst_structure_get_int(identity, "id", &id))
    object.id = id;
  const GstStructure *keypoints = gst_video_region_of_interest_meta_get_param(roi, "keypoints");
  if (keypoints)
    roi_read_keypoints(&object, keypoints, width, height);
  g_array_append_val(objects, object);
}

/* --- GstAnalyticsRelationMeta ------------------------------------------------------------------------------ */

#ifdef HAVE_GST_ANALYTICS
static void analytics_write(GstBuffer *buffer, const FoveaObject *objects, guint count, gint width, gint height) {
  GstAnalyticsRelationMeta *relations = gst_buffer_get_analytics_relation_meta(buffer);
  if (!relations)
    relations = gst_buffer_add_analytics_relation_meta(buffer);
  for (guint i = 0; i < count; i++) {
    const FoveaObject *object = &objects[i];
    PixelBox box = pixel_box(object, width, height);
    GstAnalyticsODMtd od;
    if (!gst_analytics_relation_meta_add_od_mtd(relations, g_quark_from_string(object->label), (gint)box.x, (gint)box.y,
                                                (gint)box.w, (gint)box.h, object->confidence, &od))
      continue;
    GstAnalyticsTrackingMtd track;
    if (object->id >= 0 &&
        gst_analytics_relation_meta_add_tracking_mtd(relations, (guint64)object->id, GST_BUFFER_PTS(buffer), &track))
      gst_analytics_relation_meta_set_relation(relations, GST_ANALYTICS_REL_TYPE_RELATE_TO, od.id, track.id);
  }
}

static gint64 analytics_track_id(GstAnalyticsRelationMeta *relations, guint od_id) {
  GstAnalyticsMtd track;
  gpointer state = NULL;
  if (!gst_analytics_relation_meta_get_direct_related(relations, od_id, GST_ANALYTICS_REL_TYPE_ANY,
                                                      gst_analytics_tracking_mtd_get_mtd_type(), &state, &track))
    return -1;
  guint64 id = 0;
  GstClockTime first, last;
  gboolean lost;
  return gst_analytics_tracking_mtd_get_info((GstAnalyticsTrackingMtd *)&track, &id, &first, &last, &lost)
           ? (gint64)(id & G_MAXINT64)
           : -1;
}

/* Scores are not compared: a scaled region has lost its own. */
static gboolean same_place(const FoveaObject *a, const FoveaObject *b) {
  return fabsf(a->x0 - b->x0) <= 1.0f && fabsf(a->y0 - b->y0) <= 1.0f && fabsf(a->x1 - b->x1) <= 1.0f &&
         fabsf(a->y1 - b->y1) <= 1.0f && g_str_equal(a->label, b->label);
}

static void analytics_read(GstBuffer *buffer, GArray *objects) {
  GstAnalyticsRelationMeta *relations = gst_buffer_get_analytics_relation_meta(buffer);
  GstAnalyticsMtd mtd;
  gpointer state = NULL;
  guint roi_count = objects->len; /* meta=both wrote each object as a region too */
  while (relations && gst_analytics_relation_meta_iterate(relations, &state, gst_analytics_od_mtd_get_mtd_type(), &mtd)) {
    GstAnalyticsODMtd *od = (GstAnalyticsODMtd *)&mtd;
    gint x, y, w, h;
    gfloat confidence;
    if (!gst_analytics_od_mtd_get_location(od, &x, &y, &w, &h, &confidence))
      continue;
    FoveaObject object;
    GQuark label = gst_analytics_od_mtd_get_obj_type(od);
    object_init(&object, label, x, y, w, h);
    object.confidence = confidence;
    object.id = analytics_track_id(relations, mtd.id);
    guint i = 0;
    while (i < roi_count && !same_place(&g_array_index(objects, FoveaObject, i), &object))
      i++;
    if (i == roi_count)
      g_array_append_val(objects, object);
  }
}
#endif

/* --- both -------------------------------------------------------------------------------------------------- */

static FoveaObject scaled(const FoveaObject *object, gfloat x, gfloat y) {
  FoveaObject result = *object;
  result.x0 *= x;
  result.x1 *= x;
  result.y0 *= y;
  result.y1 *= y;
  for (gint i = 0; i < object->landmark_count; i++) {
    result.landmarks[i][0] *= x;
    result.landmarks[i][1] *= y;
  }
  return result;
}

GArray *fovea_objects_normalise(const FoveaObject *objects, guint count, gint width, gint height) {
  GArray *normal = g_array_sized_new(FALSE, FALSE, sizeof(FoveaObject), count);
  for (guint i = 0; i < count; i++) {
    FoveaObject object = scaled(&objects[i], 1.0f / (gfloat)width, 1.0f / (gfloat)height);
    g_array_append_val(normal, object);
  }
  return normal;
}

/* The detector's own knowledge of the object that a meta describes by whole pixels, label and nothing else. */
static void restore(FoveaObject *object, const FoveaFrameMeta *frame, gint width, gint height) {
  const gfloat tolerance = 1.5f;
  for (guint i = 0; frame->objects && i < frame->objects->len; i++) {
    FoveaObject own = scaled(&g_array_index(frame->objects, FoveaObject, i), (gfloat)width, (gfloat)height);
    if (fabsf(own.x0 - object->x0) > tolerance || fabsf(own.y0 - object->y0) > tolerance ||
        fabsf(own.x1 - object->x1) > tolerance || fabsf(own.y1 - object->y1) > tolerance ||
        !g_str_equal(own.label, object->label))
      continue;
    own.id = object->id;
    *object = own;
    return;
  }
}

static gint label_index(GArray *label_quarks, GQuark label) {
  if (!label)
    return -1;
  for (guint i = 0; label_quarks && i < label_quarks->len; i++)
    if (g_array_index(label_quarks, GQuark, i) == label)
      return (gint)i;
  return -1;
}

void fovea_meta_write(GstBuffer *buffer, FoveaMetaKind kind, const FoveaObject *objects, guint count, gint width, gint height) {
  gboolean roi = kind != FOVEA_META_ANALYTICS;
#ifdef HAVE_GST_ANALYTICS
  if (kind != FOVEA_META_ROI)
    analytics_write(buffer, objects, count, width, height);
  roi = kind == FOVEA_META_ROI || kind == FOVEA_META_BOTH;
#endif
  for (guint i = 0; roi && i < count; i++)
    roi_write(buffer, &objects[i], width, height);
}

void fovea_meta_read(GstBuffer *buffer, gint width, gint height, GArray *label_quarks, GArray *objects) {
  gpointer state = NULL;
  GstMeta *meta;
  guint first = objects->len;
  while ((meta = gst_buffer_iterate_meta_filtered(buffer, &state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE)))
    roi_read((GstVideoRegionOfInterestMeta *)meta, width, height, objects);
#ifdef HAVE_GST_ANALYTICS
  analytics_read(buffer, objects);
#endif
  const FoveaFrameMeta *frame = fovea_frame_meta_get(buffer);
  for (guint i = first; i < objects->len; i++) {
    FoveaObject *object = &g_array_index(objects, FoveaObject, i);
    if (frame && object->label_id < 0)
      restore(object, frame, width, height);
    if (object->label_id < 0)
      object->label_id = label_index(label_quarks, g_quark_try_string(object->label));
  }
}
