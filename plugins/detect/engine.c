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

static const gchar *label_name(const FoveaEngine *engine, gint label) {
  const GArray *quarks = fovea_plan_label_quarks(engine->shared);
  if (quarks && label >= 0 && (guint)label < quarks->len)
    return g_quark_to_string(g_array_index(quarks, GQuark, label));
  char scratch[24];
  return g_intern_string(fv_description_label(engine->description, label, scratch));
}

gboolean fovea_engine_imports_dma(const FoveaEngine *engine) {
  return !engine->refuses_dma && fv_session_imports_dma(engine->session);
}

int fovea_engine_detect(FoveaEngine *engine, FoveaView *view, const FvDetectParams *params, GArray *objects, FvError *err) {
  int count = fv_session_detect(engine->session, &view->frame, params, engine->found, FV_MAX_DETECTIONS, err);
  if (count == FV_ERR_UNSUPPORTED && view->frame.dma) {
    engine->refuses_dma = TRUE;
    GST_INFO("DMA buffers are mapped from now on: %s", err->message);
    if (!fovea_view_map(view))
      return fv_error_set(err, FV_ERR_UNSUPPORTED, "the device cannot import the frame's DMA buffer, and it cannot be mapped either");
    count = fv_session_detect(engine->session, &view->frame, params, engine->found, FV_MAX_DETECTIONS, err);
  }
  if (count == FV_ERR_DEVICE)
    fovea_plan_forget(engine->shared);
  if (count < 0)
    return count;
  g_array_set_size(objects, 0);
  for (int i = 0; i < count; i++) {
    FoveaObject object = fovea_object_from_detection(&engine->found[i], label_name(engine, engine->found[i].label));
    g_array_append_val(objects, object);
  }
  return count;
}
