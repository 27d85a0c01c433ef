#include "engine.h"

void fovea_engine_settings_copy(FoveaEngineSettings *to, const FoveaEngineSettings *from) {
  *to = (FoveaEngineSettings){g_strdup(from->model), g_strdup(from->config), g_strdup(from->labels), g_strdup(from->device),
                              g_strdup(from->trusted_keys), from->threads, from->signature, from->precision};
}

void fovea_engine_settings_finish(FoveaEngineSettings *settings) {
  g_clear_pointer(&settings->model, g_free);
  g_clear_pointer(&settings->config, g_free);
  g_clear_pointer(&settings->labels, g_free);
  g_clear_pointer(&settings->device, g_free);
  g_clear_pointer(&settings->trusted_keys, g_free);
}

static const gchar *intern_valid(const gchar *text) {
  gchar *valid = g_utf8_make_valid(text, -1);
  const gchar *interned = g_intern_string(valid);
  g_free(valid);
  return interned;
}

FoveaEngine *fovea_engine_new(const FoveaEngineSettings *settings, FvError *err) {
  FoveaSharedPlan *shared =
    fovea_plan_acquire(settings->model,
                       &fv_model_params(.config = settings->config, .labels = settings->labels, .signature = settings->signature,
                                        .trusted_keys = settings->trusted_keys),
                       &fv_plan_params(.device = settings->device, .threads = settings->threads, .precision = settings->precision), err);
  if (!shared)
    return NULL;
  FoveaEngine *engine = g_new0(FoveaEngine, 1);
  engine->shared = shared;
  if (fv_session_create(fovea_plan_get(shared), &engine->session, err) < 0) {
    fovea_engine_free(engine);
    return NULL;
  }
  engine->description = fv_model_description(fv_plan_model(fovea_plan_get(shared)));
  engine->name = intern_valid(engine->description->name ? engine->description->name : "");
  return engine;
}

void fovea_engine_free(FoveaEngine *engine) {
  if (!engine)
    return;
  fv_session_destroy(&engine->session);
  fovea_plan_release(&engine->shared);
  g_free(engine);
}

static FvColorMatrix color_matrix(GstVideoColorMatrix matrix) {
  switch (matrix) {
    case GST_VIDEO_COLOR_MATRIX_BT601:
    case GST_VIDEO_COLOR_MATRIX_FCC: return FV_MATRIX_BT601;
    case GST_VIDEO_COLOR_MATRIX_BT709:
    case GST_VIDEO_COLOR_MATRIX_SMPTE240M: return FV_MATRIX_BT709;
    case GST_VIDEO_COLOR_MATRIX_BT2020: return FV_MATRIX_BT2020;
    default: return FV_MATRIX_DEFAULT;
  }
}

static FvColorRange color_range(GstVideoColorRange range) {
  switch (range) {
    case GST_VIDEO_COLOR_RANGE_0_255: return FV_RANGE_FULL;
    case GST_VIDEO_COLOR_RANGE_16_235: return FV_RANGE_LIMITED;
    default: return FV_RANGE_DEFAULT;
  }
}

static FvFrame borrow_frame(const GstVideoFrame *video) {
  const GstVideoInfo *info = &video->info;
  FvFrame frame = {
    .format = fv_format_from_name(gst_video_format_to_string(GST_VIDEO_INFO_FORMAT(info))),
    .width = GST_VIDEO_INFO_WIDTH(info),
    .height = GST_VIDEO_INFO_HEIGHT(info),
    .matrix = color_matrix(info->colorimetry.matrix),
    .range = color_range(info->colorimetry.range),
  };
  for (guint plane = 0; plane < GST_VIDEO_FRAME_N_PLANES(video); plane++) {
    frame.plane[plane] = GST_VIDEO_FRAME_PLANE_DATA(video, plane);
    frame.stride[plane] = GST_VIDEO_FRAME_PLANE_STRIDE(video, plane);
  }
  return frame;
}

static const gchar *label_name(const FoveaEngine *engine, gint label) {
  const GArray *quarks = fovea_plan_label_quarks(engine->shared);
  if (quarks && label >= 0 && (guint)label < quarks->len)
    return g_quark_to_string(g_array_index(quarks, GQuark, label));
  char scratch[24];
  return g_intern_string(fv_description_label(engine->description, label, scratch));
}

int fovea_engine_detect(FoveaEngine *engine, const GstVideoFrame *video, const FvDetectParams *params, GArray *objects,
                        FvError *err) {
  FvFrame frame = borrow_frame(video);
  int count = fv_session_detect(engine->session, &frame, params, engine->found, FV_MAX_DETECTIONS, err);
  if (count < 0)
    return count;
  g_array_set_size(objects, 0);
  for (int i = 0; i < count; i++) {
    FoveaObject object = fovea_object_from_detection(&engine->found[i], label_name(engine, engine->found[i].label));
    g_array_append_val(objects, object);
  }
  return count;
}
