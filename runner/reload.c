/* Another configuration for a running pipeline: what stays the same is not touched. */
#include "pipeline-private.h"

#include <string.h>

/* --- Old cameras end, new ones begin ----------------------------------------------------------------------------- */

/* New cameras may use files, folders and devices that old ones are about to let go of. */
static void start_waiting(FoveaPipeline *self) {
  while (self->retiring->len == 0 && self->waiting->len > 0 && self->state == FOVEA_PIPELINE_RUNNING && !self->stopping)
    fv_camera_start(g_ptr_array_steal_index(self->waiting, 0), self->context);
}

void fv_pipeline_on_retired(FvCamera *camera, void *user) {
  FoveaPipeline *self = g_object_ref(user);
  guint index = 0;
  fv_pipeline_deliver(self); /* records know their camera */
  if (g_ptr_array_find(self->retiring, camera, &index)) {
    g_ptr_array_steal_index(self->retiring, index);
    fv_pipeline_tell_state(self, fv_camera_name(camera), FOVEA_CAMERA_STOPPED, "");
    fv_camera_free(camera);
    start_waiting(self);
    fv_pipeline_settle(self);
  }
  g_object_unref(self);
}

static void retire(FoveaPipeline *self, FvCamera *camera, gint64 deadline) {
  guint index = 0;
  if (g_ptr_array_find(self->waiting, camera, &index) || self->context == NULL) {
    if (self->context != NULL) g_ptr_array_steal_index(self->waiting, index);
    fv_camera_free(camera);
    return;
  }
  g_ptr_array_add(self->retiring, camera);
  fv_camera_retire(camera, deadline);
}

/* --- What changes ------------------------------------------------------------------------------------------------ */

static FvCamera *find(GPtrArray *cameras, const char *name) {
  for (guint i = 0; i < cameras->len; i++)
    if (g_str_equal(fv_camera_name(g_ptr_array_index(cameras, i)), name)) return g_ptr_array_index(cameras, i);
  return NULL;
}

/* A camera that failed is tried again: what it lacked may have been mended with the file. */
static FvChange change_of(FvCamera *old, FvCamera *fresh) {
  if (old == NULL || fv_camera_state(old) == FOVEA_CAMERA_FAILED) return FV_CHANGE_REBUILD;
  return fv_camera_compare(old, fresh);
}

static void check(GPtrArray *fresh, FvProblems *problems) {
  for (guint i = 0; i < fresh->len; i++) g_free(fv_camera_check(g_ptr_array_index(fresh, i), problems));
}

/* Takes the camera of the new configuration, or the old one in its stead. */
static FvCamera *choose(FoveaPipeline *self, FvCamera *fresh) {
  FvCamera *old = find(self->cameras, fv_camera_name(fresh));
  if (change_of(old, fresh) == FV_CHANGE_REBUILD) {
    if (old != NULL) fv_camera_succeed(fresh, old);
    if (self->context != NULL) g_ptr_array_add(self->waiting, fresh);
    return fresh;
  }
  fv_camera_adopt(old, fresh);
  fv_camera_free(fresh);
  return old;
}

static void apply(FoveaPipeline *self, FvConfig *config, GPtrArray *fresh) {
  gint64 deadline = g_get_monotonic_time() + (gint64)self->drain_ms * 1000;
  GPtrArray *before = self->cameras, *after = g_ptr_array_new_with_free_func((GDestroyNotify)fv_camera_free);
  while (fresh->len > 0) g_ptr_array_add(after, choose(self, g_ptr_array_steal_index(fresh, 0)));
  self->cameras = after;
  while (before->len > 0) {
    FvCamera *old = g_ptr_array_steal_index(before, 0);
    if (!g_ptr_array_find(after, old, NULL)) retire(self, old, deadline);
  }
  g_ptr_array_unref(before);
  fv_config_unref(self->config);
  self->config = config;
  if (self->context == NULL) return;
  if (self->state == FOVEA_PIPELINE_FINISHED && (self->waiting->len > 0 || self->retiring->len > 0)) fv_pipeline_set_state(self, FOVEA_PIPELINE_RUNNING);
  start_waiting(self);
  fv_pipeline_settle(self);
}

static gboolean take(FoveaPipeline *self, FvConfig *config, FvProblems *problems, GError **error) {
  GPtrArray *fresh = config != NULL ? fv_pipeline_make_cameras(self, config) : NULL;
  if (fresh != NULL) check(fresh, problems);
  gboolean ok = problems->items->len == 0;
  g_object_ref(self);
  if (ok)
    apply(self, config, fresh);
  else
    fv_pipeline_set_error(error, problems);
  g_clear_pointer(&fresh, g_ptr_array_unref);
  if (!ok) fv_config_unref(config);
  fv_problems_finish(problems);
  g_object_unref(self);
  return ok;
}

static gboolean is_busy(FoveaPipeline *self, GError **error) {
  if (!self->stopping || self->context == NULL) return FALSE;
  g_set_error_literal(error, FOVEA_PIPELINE_ERROR, FOVEA_PIPELINE_ERROR_STATE, "the pipeline is being stopped");
  return TRUE;
}

/**
 * fovea_pipeline_reload:
 * @self: a pipeline made by fovea_pipeline_new_from_file()
 * @error: return location for a #GError of the domain %FOVEA_PIPELINE_ERROR
 *
 * Reads the file again and applies what changed, without touching the other cameras. Properties that elements can change while they play (thresholds, models, the
 * width of a line) are changed in place; a camera with other changes is ended and built anew, alone; new cameras start; those that are gone end as they do in
 * fovea_pipeline_stop(), in the background. Cameras that had failed are tried again. When anything is wrong with the file nothing changes at all.
 *
 * Returns: %TRUE, or %FALSE when the file was refused
 */
gboolean fovea_pipeline_reload(FoveaPipeline *self, GError **error) {
  g_return_val_if_fail(FOVEA_IS_PIPELINE(self), FALSE);
  if (is_busy(self, error)) return FALSE;
  if (self->path == NULL) {
    g_set_error_literal(error, FOVEA_PIPELINE_ERROR, FOVEA_PIPELINE_ERROR_STATE, "the pipeline was not made from a file");
    return FALSE;
  }
  FvProblems problems;
  fv_problems_init(&problems, self->path);
  return take(self, fv_config_load(self->path, &problems), &problems, error);
}

/**
 * fovea_pipeline_reload_from_data:
 * @self: a pipeline
 * @data: (array length=length) (element-type guint8): YAML text
 * @length: its bytes, or -1 when it ends with a NUL
 * @error: return location for a #GError of the domain %FOVEA_PIPELINE_ERROR
 *
 * The same from memory.
 *
 * Returns: %TRUE, or %FALSE when the text was refused
 */
gboolean fovea_pipeline_reload_from_data(FoveaPipeline *self, const gchar *data, gssize length, GError **error) {
  g_return_val_if_fail(FOVEA_IS_PIPELINE(self) && data != NULL, FALSE);
  if (is_busy(self, error)) return FALSE;
  FvProblems problems;
  fv_problems_init(&problems, self->config->file);
  gsize bytes = length < 0 ? strlen(data) : (gsize)length;
  return take(self, fv_config_parse(data, bytes, &fv_config_sources, &problems), &problems, error);
}
