#include "support.h"

#include <math.h>
#include <string.h>

#include <glib/gstdio.h>

#include "build_model.h"

static char *folder;

char *support_path(const char *name) {
  if (!folder) folder = g_dir_make_tmp("fovea-container-XXXXXX", NULL);
  g_assert_nonnull(folder);
  return g_build_filename(folder, name, NULL);
}

static void remove_all(const char *directory) {
  GDir *entries = g_dir_open(directory, 0, NULL);
  for (const char *name; entries && (name = g_dir_read_name(entries));) {
    g_autofree char *path = g_build_filename(directory, name, NULL);
    if (g_file_test(path, G_FILE_TEST_IS_DIR)) remove_all(path);
    else g_unlink(path);
  }
  if (entries) g_dir_close(entries);
  g_rmdir(directory);
}

void support_finish(void) {
  if (folder) remove_all(folder);
  g_clear_pointer(&folder, g_free);
}

FvModel *support_small_model(void) { return build_small_model("small.onnx"); }

FvModel *support_levels_model(void) {
  g_autofree char *path = g_build_filename(g_getenv("FOVEA_SOURCE_DIR"), "fuzz", "seeds", "onnx", "levels.onnx", NULL);
  FvModel *model = NULL;
  FvError err;
  if (fv_model_open(path, NULL, &model, &err) < 0) g_error("%s", err.message);
  return model;
}

char *support_small_file(const char *name, const FvContainerParams *params) {
  FvError err;
  FvModel *model = support_small_model();
  char *path = support_path(name);
  if (fv_container_write(model, path, params, &err) < 0) g_error("%s", err.message);
  fv_model_destroy(&model);
  return path;
}

void support_expect(const char *path, const FvModelParams *params, int code, ...) {
  FvModel *model = NULL;
  FvError err = {0};
  va_list words;
  int result = fv_model_open(path, params, &model, &err);
  if (result != code) g_error("%s: %d instead of %d: %s", path, result, code, err.message);
  va_start(words, code);
  for (const char *word; (word = va_arg(words, const char *));)
    if (!strstr(err.message, word)) g_error("no '%s' in: %s", word, err.message);
  va_end(words);
  fv_model_destroy(&model);
}

static FvSession *make_session(FvModel *model, FvPlan **plan) {
  FvSession *session = NULL;
  FvError err;
  if (fv_plan_create(model, &fv_plan_params(.device = "cpu", .threads = 1), plan, &err) < 0 || fv_session_create(*plan, &session, &err) < 0)
    g_error("%s", err.message);
  return session;
}

/* Waves of 80 elements with a little noise: detectors amplify the rounding of weights less than for noise alone, as they do for pictures. */
static void fill(FvSession *session) {
  guint32 state = 12345;
  for (int i = 0; i < fv_session_input_count(session); i++) {
    const FvTensor *input = fv_session_input(session, i);
    FvTensor values = *input;
    FvError err;
    fv_tensor_set_contiguous(&values);
    values.dtype = FV_DTYPE_F32;
    float *data = g_new(float, fv_tensor_count(&values));
    for (gint64 k = 0; k < fv_tensor_count(&values); k++) {
      state = state * 1664525u + 1013904223u;
      data[k] = 0.5f + 0.4f * sinf((float)(k % 80) * 0.0785f) + 0.1f * (float)(state >> 8) / 16777216.0f;
    }
    values.data = data;
    if (fv_tensor_copy(input, &values, &err) < 0) g_error("%s", err.message);
    g_free(data);
  }
}

static double compare(const FvTensor *a, const FvTensor *b) {
  FvTensor wide[2] = {*a, *b};
  gint64 count = fv_tensor_count(a);
  double largest = 0, worst = 0;
  for (int i = 0; i < 2; i++) {
    wide[i].dtype = FV_DTYPE_F64;
    fv_tensor_set_contiguous(&wide[i]);
    wide[i].data = g_new(double, count);
    g_assert_cmpint(fv_tensor_copy(&wide[i], i ? b : a, NULL), ==, 0);
  }
  const double *x = wide[0].data, *y = wide[1].data;
  for (gint64 k = 0; k < count; k++) {
    g_assert_true(isnan(x[k]) == isnan(y[k]));
    if (isnan(x[k])) continue;
    largest = fmax(largest, fabs(x[k]));
    worst = fmax(worst, fabs(x[k] - y[k]));
  }
  g_free(wide[0].data);
  g_free(wide[1].data);
  return worst == 0 ? 0 : worst / largest;
}

double support_difference(FvModel *a, FvModel *b) {
  FvPlan *plans[2] = {NULL};
  FvSession *sessions[2] = {make_session(a, &plans[0]), make_session(b, &plans[1])};
  double worst = 0;
  g_assert_cmpint(fv_session_output_count(sessions[0]), ==, fv_session_output_count(sessions[1]));
  for (int i = 0; i < 2; i++) {
    fill(sessions[i]);
    g_assert_cmpint(fv_session_run(sessions[i], NULL), ==, 0);
  }
  for (int i = 0; i < fv_session_output_count(sessions[0]); i++) {
    g_assert_cmpstr(fv_session_output_name(sessions[0], i), ==, fv_session_output_name(sessions[1], i));
    worst = fmax(worst, compare(fv_session_output(sessions[0], i), fv_session_output(sessions[1], i)));
  }
  for (int i = 0; i < 2; i++) {
    fv_session_destroy(&sessions[i]);
    fv_plan_destroy(&plans[i]);
  }
  return worst;
}
